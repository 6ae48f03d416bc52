// Rows of several videos on one axis of time: a row of one video moved along it, and one expression of all of them.

import { clipTo, drawFrame, drawLine, pointsOf } from "./curves.js";
import { themeColour } from "./dom.js";
import { STEPS } from "./columns.js";

const LOOK_REMS = 3.4;
const DASHES = [[], [7, 3], [2, 2.5], [9, 3, 2, 3]];
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/** How the line of a place in the comparison is drawn: colour-blind safe, and told apart without colour too. */
export function strokeOf(place) {
  return { colour: COLOURS[place % COLOURS.length], dash: DASHES[place % DASHES.length] };
}

/** A row of one video; `item` has its `recording` and its `offset`: when it begins on the axis, in seconds. */
export class MovedRow {
  constructor(row, item, name) {
    Object.assign(this, { row, item, name });
    this.isAlwaysTold = row.isAlwaysTold;
  }

  height(unit) {
    return this.row.height(unit);
  }

  draw(context, area) {
    const { offset, recording } = this.item;
    context.save();
    this.row.draw(context, { ...area, view: area.view.map((seconds) => seconds - offset), x: (seconds) => area.x(seconds + offset) });
    context.restore();
    const { left, width, y, height } = area;
    const [begin, end] = [offset, offset + recording.duration].map((seconds) => Math.min(left + width, Math.max(left, area.x(seconds))));
    context.fillStyle = themeColour("--ground"); // no video there
    context.fillRect(left, y, begin - left, height);
    context.fillRect(end, y, left + width - end, height);
  }

  words(seconds) {
    const own = seconds - this.item.offset;
    return own < 0 || own > this.item.recording.duration ? null : (this.row.words?.(own) ?? null);
  }
}

/** One expression of every video, a line each. */
export class LookRow {
  constructor(label, items) {
    Object.assign(this, { label, items });
    this.name = label;
    this.isAlwaysTold = true;
  }

  height(unit) {
    return LOOK_REMS * unit;
  }

  draw(context, area) {
    const { left, width, y, height, view, isMoving } = area;
    drawFrame(context, area, { ticks: [0, 1] });
    clipTo(context, area);
    const toY = (steps) => y + height - (steps / STEPS) * height;
    this.items.forEach(({ series, subject, offset, recording, place }) => {
      const label = recording.labels.indexOf(this.label);
      if (label < 0) return;
      const points = pointsOf(series, subject, label, { view: view.map((seconds) => seconds - offset), width });
      drawLine(context, points, { left, toY, thick: 1.8, isMoving, ...strokeOf(place) });
    });
  }

  words(seconds) {
    return this.items.flatMap(({ series, subject, offset, recording, place, letter }) => {
      const label = recording.labels.indexOf(this.label);
      const values = label < 0 ? null : series.at(subject, seconds - offset);
      return values ? [[strokeOf(place).colour, `${letter} ${values[label].toFixed(2)}`]] : [];
    });
  }
}
