// Where the image moves: a heat over the video, from a coarse grid of speeds.

import { ABSENT, STEPS, unpack } from "./columns.js";
import { themeColour } from "./dom.js";

const MOST_ALPHA = 0.55;
const LEAST_SHARE = 0.04;

/** Unpacks `content.motion`; null in a run that did not measure it. */
export async function openMotion(content) {
  if (!content) return null;
  const [agitation, moves, cells] = await Promise.all([content.agitation, content.moves, content.heat.cells].map(unpack));
  return { ...content.heat, agitation, moves, cells };
}

/** Draws the speeds of the cells at a moment over a canvas of `width` and `height`. */
export function drawHeat(context, motion, seconds, { width, height }) {
  const { cells, columns, rows, step_s: step, n } = motion;
  const slice = Math.min(n - 1, Math.max(0, Math.floor(seconds / step)));
  const [wide, tall] = [width / columns, height / rows];
  context.save();
  context.fillStyle = themeColour("--alert");
  for (let cell = 0; cell < columns * rows; cell++) {
    const value = cells[cell * n + slice];
    const share = value === ABSENT ? 0 : value / STEPS;
    if (share < LEAST_SHARE) continue;
    context.globalAlpha = MOST_ALPHA * share;
    context.fillRect((cell % columns) * wide, Math.floor(cell / columns) * tall, wide, tall);
  }
  context.restore();
}
