// Rows of curves: a line per expression of one face or of the mean, the same as a stack, and the score of a rule.

import { ABSENT, STEPS } from "./columns.js";
import { lastNotAbove, themeColour } from "./dom.js";
import { paintStack } from "./paint.js";
import { MEAN, reduceToPixels } from "./series.js";

const CURVE_REMS = 6.5;
const BAND_ALPHA = 0.22;
const HALF_HAIR_PX = 0.35;

/** What all rows of curves share: background, y axis, limits. */
export function drawFrame(context, { left, width, y, height, unit }, { low = 0, high = 1, ticks = [0, 0.5, 1] } = {}) {
  context.fillStyle = themeColour("--chart");
  context.fillRect(left, y, width, height);
  context.strokeStyle = themeColour("--grid");
  context.lineWidth = 1;
  context.textBaseline = "middle";
  for (const value of ticks) {
    const at = Math.round(y + height - ((value - low) / (high - low)) * height) + (value === low ? -0.5 : 0.5);
    context.beginPath();
    context.moveTo(left, at);
    context.lineTo(left + width, at);
    context.stroke();
    if (left < 2 * unit) continue;
    context.font = `${0.65 * unit}px system-ui, sans-serif`;
    context.fillStyle = themeColour("--quiet");
    const text = Number(value.toFixed(2)).toString();
    context.fillText(text, left - context.measureText(text).width - 4, Math.min(y + height - 0.3 * unit, Math.max(y + 0.35 * unit, at)));
  }
}

/**
 * One line through reduced points: the mean course as a line, the extent within each pixel as a pale band. While the
 * view moves (`isMoving`) the line is two hair lines, which look much the same and cost a third.
 */
export function drawLine(context, points, { left, toY, colour, thick, dash = [], isMoving = false }) {
  drawBands(context, points, { left, toY, colour });
  context.setLineDash(dash);
  context.strokeStyle = colour;
  context.lineJoin = "bevel"; // round joins cost as much as all else
  if (isMoving) {
    context.lineWidth = 1 / (window.devicePixelRatio || 1);
    for (const shift of [-HALF_HAIR_PX, HALF_HAIR_PX]) {
      trace(context, points, { left: left + shift, toY: (value) => toY(value) + shift });
      context.stroke();
    }
  } else {
    context.lineWidth = thick;
    trace(context, points, { left, toY });
    context.stroke();
  }
  context.setLineDash([]);
}

function trace(context, points, { left, toY }) {
  context.beginPath();
  points.forEach((point, i) => {
    const x = left + point.x;
    const middle = toY((point.low + point.high) / 2);
    if (point.starts) {
      context.moveTo(x, middle);
      if (points[i + 1]?.starts ?? true) context.lineTo(x + 1.5, middle); // a point by itself
    } else context.lineTo(x, middle);
  });
}

/** From the lowest to the highest value of each pixel, as one shape per line without a gap. */
function drawBands(context, points, { left, toY, colour }) {
  if (!points.some((point) => point.high > point.low)) return;
  context.fillStyle = colour;
  context.globalAlpha = BAND_ALPHA;
  context.beginPath();
  for (let first = 0; first < points.length; ) {
    let end = first + 1;
    while (end < points.length && !points[end].starts) end++;
    for (let i = first; i < end; i++) (i === first ? context.moveTo(left + points[i].x, toY(points[i].high)) : context.lineTo(left + points[i].x, toY(points[i].high)));
    for (let i = end - 1; i >= first; i--) context.lineTo(left + points[i].x, toY(points[i].low));
    context.closePath();
    first = end;
  }
  context.fill();
  context.globalAlpha = 1;
}

export function clipTo(context, { left, y, width, height }) {
  context.beginPath();
  context.rect(left, y - 1, width, height + 2);
  context.clip();
}

/** The points of a label's curve of a subject, reduced to pixels. */
export function pointsOf(series, subject, label, { view, width }) {
  const { frameTimes, frameBegins, frameEnds, every } = series.recording;
  const { frames, values } = series.of(subject);
  const timeOf = (i) => frameTimes[frames[i]];
  const follows = every > 1
    ? (i) => frames[i] - frames[i - 1] <= every
    : (i) => frames[i] === frames[i - 1] + 1 && frameBegins[frames[i]] - frameEnds[frames[i - 1]] < 2e-3;
  return values.length ? reduceToPixels({ n: frames.length, timeOf, follows, column: values[label], view, width }) : [];
}

/** A line per expression of one subject: a track's id or MEAN. */
export class CurveRow {
  constructor(recording, series, subject) {
    Object.assign(this, { recording, series, subject });
    this.name = subject === MEAN ? "mean of faces" : `track ${subject}`;
    this.only = new Set();
    this.isAlwaysTold = true;
  }

  height(unit) {
    return CURVE_REMS * unit;
  }

  draw(context, area) {
    const { left, width, y, height, view, isMoving } = area;
    const series = this.series.for(view, () => this.onFine?.());
    const { labels, colours } = series.recording;
    drawFrame(context, area);
    clipTo(context, area);
    const toY = (steps) => y + height - (steps / STEPS) * height;
    const order = labels.map((_, c) => c).sort((a, b) => this._isOn(a) - this._isOn(b) || (labels[b] === "neutral") - (labels[a] === "neutral"));
    for (const c of order) {
      const isOn = this._isOn(c);
      if (this.only.size && !isOn) continue;
      const points = pointsOf(series, this.subject, c, { view, width });
      drawLine(context, points, { left, toY, colour: colours[labels[c]], thick: this.only.size ? 2.2 : labels[c] === "neutral" ? 1.2 : 1.8, isMoving });
    }
  }

  words(seconds) {
    const values = this.series.at(this.subject, seconds);
    if (!values) return [[null, this.subject === MEAN ? (this.recording.whyUnknown(seconds) ?? "unknown") : "not in view"]];
    const { labels, colours } = this.recording;
    return labels.map((label, c) => [c, label]).filter(([c]) => !this.only.size || this.only.has(c))
      .map(([c, label]) => [colours[label], `${label} ${values[c].toFixed(2)}`]);
  }

  _isOn(label) {
    return this.only.has(label);
  }
}

/** The mean of all faces as a stack of shares, in the bins of the table. */
export class StackRow {
  constructor(recording, series) {
    Object.assign(this, { recording, series });
    this.name = "mean of faces";
    this.subject = MEAN;
    this.only = new Set();
    this.isAlwaysTold = true;
    this.words = CurveRow.prototype.words.bind(this);
  }

  height(unit) {
    return CURVE_REMS * unit;
  }

  draw(context, area) {
    const { starts, ends, coverage, means, labels, colours } = this.recording;
    const { left, width, y, height, view: [from, to] } = area;
    const shares = new Array(labels.length);
    const perPixel = (to - from) / width;
    drawFrame(context, area);
    paintStack(context, {
      x: left, y, width: Math.ceil(width), height, labels, colours, only: this.only.size ? this.only : null,
      columnAt(i) {
        const begin = from + i * perPixel;
        let bin = Math.max(0, lastNotAbove(starts, begin));
        let weight = 0;
        shares.fill(0);
        do {
          const seen = coverage[bin] === ABSENT || means[0][bin] === ABSENT ? 0 : coverage[bin];
          if (seen && ends[bin] > begin && starts[bin] < begin + perPixel) {
            weight += seen;
            for (let c = 0; c < shares.length; c++) shares[c] += (means[c][bin] / STEPS) * seen;
          }
          bin += 1;
        } while (bin < starts.length && starts[bin] < begin + perPixel);
        if (!weight) return null;
        for (let c = 0; c < shares.length; c++) shares[c] /= weight;
        return shares;
      },
    });
  }
}

/** The score of a rule: of the chosen tracks, else the largest of each frame; its thresholds as lines, shaded where it counts. */
export class ScoreRow {
  /** `scores` and `stands`: one per face of the page, or per frame where the rule is about all; see run_rules.py. */
  constructor(recording, rule, { scores, stands }) {
    Object.assign(this, { recording, rule, scores, stands });
    this.name = `rule ${rule.name}`;
    this.subjects = [];
    this.enter = rule.enter;
    this.exit = rule.exit;
    this.isAlwaysTold = true;
    [this.largest, this.holds] = rule.over === "group" ? [scores, stands] : this._largest();
  }

  height(unit) {
    return 4.5 * unit;
  }

  /** From the lowest to the highest number that is drawn. */
  get limits() {
    let [low, high] = [0, Math.max(1, this.rule.enter)];
    for (const value of this.largest) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return [low, high];
  }

  draw(context, area) {
    const { left, width, y, height, view, unit, isMoving } = area;
    const [low, high] = (this.drawnLimits ??= this.limits);
    const toY = (value) => y + height - ((value - low) / (high - low)) * height;
    drawFrame(context, area, { low, high, ticks: [low, high] });
    context.save();
    clipTo(context, area);
    const { frameTimes, frameBegins, frameEnds, every } = this.recording;
    for (const { frames, column, stands } of this._lines()) {
      const timeOf = (i) => frameTimes[frames ? frames[i] : i];
      const follows = (i) => {
        const [before, now] = frames ? [frames[i - 1], frames[i]] : [i - 1, i];
        return now - before <= every && (every > 1 || frameBegins[now] - frameEnds[before] < 2e-3);
      };
      const points = reduceToPixels({ n: column.length, timeOf, follows, column, view, width });
      context.save();
      this._shadeAbove(context, points, stands, { left, toY });
      context.restore();
      drawLine(context, points, { left, toY, colour: themeColour("--ink"), thick: 1.4, isMoving });
    }
    context.restore();
    for (const [value, dash, words] of [[this.enter, [], "from"], [this.exit, [4, 4], "until"]]) {
      if (words === "until" && Math.abs(this.exit - this.enter) < 1e-6) continue;
      context.strokeStyle = themeColour("--alert");
      context.lineWidth = words === "from" ? 1.6 : 1;
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(left, toY(value));
      context.lineTo(left + width, toY(value));
      context.stroke();
      context.setLineDash([]);
      if (words !== "from") continue;
      context.font = `600 ${0.7 * unit}px system-ui, sans-serif`;
      context.fillStyle = themeColour("--alert");
      context.textBaseline = "bottom";
      const text = `enters at ${value.toFixed(2)}`;
      context.fillText(text, left + width - context.measureText(text).width - 4, Math.max(y + 0.9 * unit, toY(value) - 1));
    }
  }

  words(seconds) {
    const { recording } = this;
    const frame = recording.frameAt(seconds);
    if (frame < 0) return null;
    const value = this.largest[frame];
    if (value === undefined || Number.isNaN(value)) return [[null, `${this.rule.name}: unknown, ${this._whyUnknown(frame, seconds)}`]];
    const but = value >= this.exit && this.holds[frame] < 2 ? ", but a condition is false" : "";
    return [[null, `${this.rule.name} ${value.toFixed(2)} ${value >= this.enter ? "≥" : "<"} ${this.enter.toFixed(2)}${but}`]];
  }

  /** A rule about motion is unknown while the camera moves, any other without a face that may be used. */
  _whyUnknown(frame, seconds) {
    if (this.rule.over === "group" && this.recording.motion?.moves[frame]) return "the camera moves";
    return this.recording.whyUnknown(seconds) ?? (this.rule.over === "group" ? "a value of it was not measured" : "no face that it may judge");
  }

  _lines() {
    const tracks = this.rule.over === "group" ? [] : this.subjects.map((id) => this.recording.byId.get(id)).filter(Boolean);
    if (!tracks.length) return [{ frames: null, column: this.largest, stands: this.holds }];
    const { frame } = this.recording;
    return tracks.map(({ first, end }) => ({ frames: frame.subarray(first, end), column: this.scores.subarray(first, end), stands: this.stands.subarray(first, end) }));
  }

  _shadeAbove(context, points, stands, { left, toY }) {
    context.fillStyle = themeColour("--alert");
    context.globalAlpha = 0.35;
    points.forEach((point, i) => {
      if (point.high < this.enter || stands[point.index] < 2) return;
      const next = points[i + 1];
      const wide = next && !next.starts ? Math.max(1, next.x - point.x) : 1.5;
      context.fillRect(left + point.x, toY(point.high), wide, toY(this.enter) - toY(point.high));
    });
  }

  /** The largest score among the faces of each frame that the rule may judge, those that meet its conditions first. */
  _largest() {
    const { frame, frameTimes } = this.recording;
    const largest = new Float32Array(frameTimes.length).fill(NaN);
    const holds = new Uint8Array(frameTimes.length);
    for (let i = 0; i < frame.length; i++) {
      const at = frame[i];
      if (!this.stands[i] || Number.isNaN(this.scores[i]) || this.stands[i] < holds[at]) continue;
      if (this.stands[i] > holds[at] || Number.isNaN(largest[at]) || this.scores[i] > largest[at]) largest[at] = this.scores[i];
      holds[at] = this.stands[i];
    }
    return [largest, holds];
  }
}
