// Strokes that several charts share: a stack of expressions in columns, hatching, sharp canvases. Knows no run.

import { ABSENT, STEPS } from "./columns.js";
import { themeColour } from "./dom.js";

/** Fits a canvas to its box on the screen, sharp at every zoom, and clears it; returns its context in CSS pixels, with its size. */
export function fit(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const scale = window.devicePixelRatio || 1;
  const size = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size; // costs a new surface
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Diagonal lines that mean "nothing was seen here". */
export function hatch(context, x, y, width, height, colour) {
  const step = 6;
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  const first = Math.floor((x - height) / step) * step;
  for (let at = first; at < x + width; at += step) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

/** The order of a stack from the bottom: neutral last, so that what stands out lies on the ground. */
export function stackOrder(labels) {
  return labels.map((_, i) => i).sort((a, b) => (labels[a] === "neutral") - (labels[b] === "neutral"));
}

/**
 * Draws a stack column by column. `columnAt(i)` gives the shares (0..1, in the order of labels) of pixel column i, or
 * null where no usable face was seen; such stretches are hatched. `only`, a set of labels, lets these stand out.
 */
export function paintStack(context, { x, y, width, height, labels, colours, columnAt, only = null }) {
  const order = stackOrder(labels);
  const empty = [];
  for (let i = 0; i < width; i++) {
    const shares = columnAt(i);
    if (!shares) {
      const last = empty[empty.length - 1];
      if (last && last[1] === i) last[1] = i + 1;
      else empty.push([i, i + 1]);
      continue;
    }
    let bottom = y + height;
    for (const c of order) {
      const tall = shares[c] * height;
      if (tall <= 0) continue;
      context.globalAlpha = only !== null && !only.has(c) ? 0.18 : labels[c] === "neutral" ? 0.55 : 1;
      context.fillStyle = colours[labels[c]];
      context.fillRect(x + i, bottom - tall, 1.02, tall);
      bottom -= tall;
    }
  }
  context.globalAlpha = 1;
  for (const [from, to] of empty) hatch(context, x + from, y, to - from, height, themeColour("--hatch"));
}

/** The strip of a list: `means` are labels x columns bytes, `coverage` bytes, both in steps of 1/250. */
export function paintStrip(canvas, { means, coverage, labels, colours, marks, duration }) {
  const { context, width, height } = fit(canvas);
  const n = coverage.length;
  const top = 7;
  const shares = new Array(labels.length);
  paintStack(context, {
    x: 0, y: top, width: Math.ceil(width), height: height - top, labels, colours,
    columnAt(i) {
      const column = Math.min(n - 1, Math.floor((i / width) * n));
      if (coverage[column] === ABSENT || coverage[column] === 0 || means[column] === ABSENT) return null;
      for (let c = 0; c < labels.length; c++) shares[c] = means[c * n + column] / STEPS;
      return shares;
    },
  });
  for (const [start, end, isAlert] of [...marks].sort((a, b) => a[2] - b[2])) {
    context.fillStyle = themeColour(isAlert ? "--alert" : "--notice");
    const from = (start / duration) * width;
    context.fillRect(from, 0, Math.max(3, ((end - start) / duration) * width), isAlert ? 5 : 3);
  }
}
