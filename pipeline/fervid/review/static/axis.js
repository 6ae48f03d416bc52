// The axis of time of the charts: ticks, times as words, names beside the rows. Knows no row's content.

import { clamp, clock, themeColour } from "./dom.js";

const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
const DAY_MS = 86_400_000;

/** Draws ticks and their times for a view; `offset` moves them to round times of another clock, `textOf(seconds, digits)` names them. */
export function drawAxis(context, { left, width }, { view: [from, to], unit, bottom, startSeconds, textOf }) {
  const perTick = ((to - from) * 5 * unit) / width;
  const step = TICKS.find((tick) => tick >= perTick) ?? TICKS[TICKS.length - 1];
  const offset = startSeconds % step;
  context.fillStyle = themeColour("--quiet");
  context.strokeStyle = themeColour("--grid");
  context.textBaseline = "top";
  context.lineWidth = 1;
  let free = -Infinity;
  for (let i = Math.ceil((from + offset) / step - 1e-9); i * step - offset <= to + 1e-9; i++) {
    const seconds = i * step - offset;
    const x = left + ((seconds - from) / (to - from)) * width;
    context.beginPath();
    context.moveTo(Math.round(x) + 0.5, 1.3 * unit);
    context.lineTo(Math.round(x) + 0.5, bottom);
    context.stroke();
    const text = textOf(seconds, step < 1 ? 1 : 0);
    const half = context.measureText(text).width / 2;
    const place = clamp(x - half, left, left + width - 2 * half);
    if (place < free) continue;
    context.fillText(text, place, 0.2 * unit);
    free = place + 2 * half + 0.5 * unit;
  }
}

/** The name of a row beside it, where there is room; else within the row, if that is high enough. */
export function drawName(context, name, { y, height, unit, left }) {
  context.fillStyle = themeColour("--quiet");
  if (left < 2 * unit) {
    if (height < 3 * unit) return;
    context.font = `${0.65 * unit}px system-ui, sans-serif`;
    context.textBaseline = "top";
    context.fillText(name, left + 3, y + 2);
    return;
  }
  context.textBaseline = "middle";
  const lines = [];
  for (const word of name.split(" ")) {
    const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length && context.measureText(longer).width <= left - 2 * unit) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  const most = Math.max(1, Math.floor(height / unit));
  const shown = lines.length > most ? [name] : lines;
  shown.forEach((line, i) => context.fillText(line, 0, y + height / 2 + (i - (shown.length - 1) / 2) * unit));
}

/** Milliseconds of the local clock at which the video begins, as if it were UTC; null where nobody knows. */
export function wallClockStart(recorded) {
  if (!recorded?.local) return null;
  const moment = Date.parse(`${recorded.local.slice(0, 19)}Z`);
  return Number.isFinite(moment) ? moment : null;
}

/** The time of day so many seconds after a start. */
export function wallText(start, seconds, digits) {
  const moment = start + Math.round(seconds * 1000);
  const within = ((moment % DAY_MS) + DAY_MS) % DAY_MS;
  const text = clock(within / 1000, digits);
  return within >= 3_600_000 ? text.padStart(8 + (digits ? digits + 1 : 0), "0") : `00:${text}`;
}

/** Seconds of "90", "1:30", "1:02:03.5", or a time of day where the run knows its clock; null for anything else. */
export function secondsOf(text, wallStart, duration) {
  const match = /^\s*(?:(?:(\d+):)?(\d{1,3}):)?(\d+(?:\.\d+)?)\s*s?\s*$/.exec(text);
  if (!match) return null;
  const seconds = Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3]);
  if (seconds <= duration) return seconds;
  if (wallStart === null || match[1] === undefined) return null;
  const later = (((seconds * 1000 - (wallStart % DAY_MS)) % DAY_MS) + DAY_MS) % DAY_MS / 1000;
  return later <= duration ? later : null;
}
