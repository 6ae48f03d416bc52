// Rows of the timeline that show what is known besides scores: alerts, use of faces with reasons, tracks, measured motion.

import { STEPS } from "./columns.js";
import { clamp, clock, lastNotAbove, themeColour } from "./dom.js";
import { hatch } from "./paint.js";
import { NO_FACE, USABLE } from "./recording.js";

const MOST_LANES = 40;

export class AlertsRow {
  constructor() {
    this.name = "alerts";
    this.alerts = [];
    this.current = null;
    this.change = null;
  }

  /** `change`: what another threshold would add and remove, `{added, removed}`; null without. */
  set(alerts, current, change = this.change) {
    Object.assign(this, { alerts, current, change });
  }

  height(unit) {
    return 1.1 * unit;
  }

  draw(context, area) {
    for (const alert of [...this.alerts].sort((a, b) => (a.tier === "alert") - (b.tier === "alert"))) this._drawOne(context, alert, area);
    for (const alert of this.change?.added ?? []) this._drawOne(context, alert, area, "added");
  }

  words(seconds) {
    const found = this.alerts.filter((alert) => alert.start_s <= seconds && seconds <= alert.end_s);
    const coming = (this.change?.added ?? []).filter((alert) => alert.start_s <= seconds && seconds <= alert.end_s);
    return [
      ...found.map((alert) => [null, `${alert.tier}: ${alert.wording}, ${clock(alert.start_s)} – ${clock(alert.end_s)}, peak ${alert.peak_score.toFixed(2)}`]),
      ...coming.map((alert) => [null, `would be added: ${alert.wording}, ${clock(alert.start_s)} – ${clock(alert.end_s)}`]),
    ];
  }

  _drawOne(context, alert, { view: [from, to], x, y, height, unit, left, width }, kind = null) {
    if (alert.end_s < from || alert.start_s > to) return;
    const begin = x(Math.max(from, alert.start_s));
    const wide = Math.max(4, x(Math.min(to, alert.end_s)) - begin);
    const isAlert = alert.tier === "alert";
    const isGone = this.change?.removed.some((one) => one.alert_id === alert.alert_id);
    const tall = isAlert ? height : height * 0.5;
    context.fillStyle = themeColour(isAlert ? "--alert" : "--notice");
    context.strokeStyle = themeColour(isAlert ? "--alert" : "--notice");
    context.lineWidth = 2;
    context.globalAlpha = isGone ? 0.35 : 1;
    context.setLineDash(kind === "added" ? [4, 3] : []);
    context.beginPath();
    context.roundRect(begin, y + height - tall, wide, tall, 3);
    if (kind === "added") context.stroke();
    else context.fill();
    context.setLineDash([]);
    context.globalAlpha = 1;
    if (alert === this.current) {
      context.strokeStyle = themeColour("--ink");
      context.stroke();
    }
    const sign = kind ? null : { true: "✓", false: "✕", unsure: "?" }[alert.review?.verdict];
    if (sign && isAlert && wide > 0.9 * unit && begin >= left && begin < left + width) {
      context.fillStyle = themeColour("--alert-ink");
      context.textBaseline = "middle";
      context.fillText(sign, begin + wide / 2 - context.measureText(sign).width / 2, y + height / 2 + 0.5);
    }
  }
}

/** Where a face was usable, seen but not used and why, or not there; cuts as short lines. */
export class UseRow {
  constructor(recording) {
    this.recording = recording;
    this.name = "face usable";
  }

  height(unit) {
    return 1.25 * unit;
  }

  draw(context, { left, width, y, height, view: [from, to], unit }) {
    const { frameBegins, frameEnds, shows } = this.recording;
    const best = new Int8Array(Math.ceil(width)).fill(-1);
    const why = new Int32Array(best.length).fill(-1);
    const scale = width / (to - from);
    for (let i = Math.max(0, lastNotAbove(frameBegins, from)); i < shows.length && frameBegins[i] <= to; i++) {
      const end = Math.min(best.length, Math.max(1, Math.ceil((frameEnds[i] - from) * scale)));
      for (let at = Math.max(0, Math.floor((frameBegins[i] - from) * scale)); at < end; at++) {
        if (shows[i] > best[at]) [best[at], why[at]] = [shows[i], i];
      }
    }
    const bar = 0.6 * unit;
    for (let at = 0; at < best.length; ) {
      let end = at + 1;
      while (end < best.length && best[end] === best[at]) end++;
      if (best[at] === USABLE) {
        context.fillStyle = themeColour("--usable");
        context.fillRect(left + at, y, end - at, bar);
      } else if (best[at] > NO_FACE) {
        hatch(context, left + at, y, end - at, bar, themeColour("--unused"));
        this._sayWhy(context, { begin: left + at, end: left + end, frame: why[(at + end) >> 1], y: y + bar, unit });
      } else {
        context.fillStyle = themeColour("--grid");
        context.fillRect(left + at, y + bar / 2 - 0.5, end - at, 1);
      }
      at = end;
    }
    this._drawCuts(context, { left, width, y, tall: bar, view: [from, to] });
  }

  words(seconds) {
    const frame = this.recording.frameAt(seconds);
    if (frame < 0 || this.recording.shows[frame] === NO_FACE) return [[null, this.recording.whyUnknown(seconds) ?? "no face in view"]];
    const shows = this.recording.shows[frame];
    const unused = this.recording.facesAt(seconds).filter(({ face }) => !this.recording.isUsable(face));
    return [
      ...(shows === USABLE ? [[null, "a usable face"]] : []),
      ...unused.map(({ track, face }) => [null, `track ${track.id} not used: ${this.recording.reason(face)?.words ?? ""}`]),
    ];
  }

  /** The most frequent reason in the frame in the middle, where its words have room. */
  _sayWhy(context, { begin, end, frame, y, unit }) {
    if (frame < 0 || end - begin < 3 * unit) return;
    const [found] = this.recording.facesAt(this.recording.frameTimes[frame]).filter(({ face }) => !this.recording.isUsable(face));
    const words = found ? this.recording.reason(found.face)?.words : null;
    if (!words) return;
    context.font = `${0.65 * unit}px system-ui, sans-serif`;
    if (context.measureText(words).width > end - begin) return;
    context.fillStyle = themeColour("--quiet");
    context.textBaseline = "top";
    context.fillText(words, begin + 1, y);
  }

  _drawCuts(context, { left, width, y, tall, view: [from, to] }) {
    const { cuts } = this.recording;
    const perPixel = (to - from) / width;
    const first = Math.max(0, lastNotAbove(cuts, from));
    const last = lastNotAbove(cuts, to);
    if ((last - first) * 4 > width) return; // one line beside the other would be a bar
    context.fillStyle = themeColour("--ink");
    for (let i = first; i <= last; i++) if (cuts[i] >= from) context.fillRect(left + (cuts[i] - from) / perPixel, y - 3, 1, tall + 6);
  }
}

export class TracksRow {
  constructor(recording) {
    this.recording = recording;
    this.name = recording.lanes > 1 ? "tracks" : "track";
    this.only = new Set();
  }

  height(unit) {
    const more = this.recording.lanes > MOST_LANES ? 1.1 * unit : 0;
    return clamp(this.recording.lanes, 1, MOST_LANES) * this._lane(unit) + more;
  }

  draw(context, area) {
    const { recording } = this;
    const { view: [from, to], y, unit, left } = area;
    const lane = this._lane(unit);
    for (const track of recording.tracks) {
      if (track.lane >= MOST_LANES) continue;
      const begin = recording.spanOf(track.first)[0];
      const end = recording.spanOf(track.end - 1)[1];
      if (begin > to || end < from) continue;
      this._drawTrack(context, track, { ...area, y: y + track.lane * lane, tall: lane - 3 });
    }
    if (recording.lanes > MOST_LANES) {
      context.fillStyle = themeColour("--quiet");
      context.textBaseline = "top";
      context.fillText(`${recording.lanes - MOST_LANES} more lanes are not drawn`, left, y + MOST_LANES * lane);
    }
  }

  words(seconds) {
    const { recording } = this;
    return recording.facesAt(seconds).map(({ track, face }) => {
      const isUsable = recording.isUsable(face);
      const label = recording.labels[recording.best[face]];
      return [isUsable ? recording.colours[label] : null, `track ${track.id}: ${isUsable ? `${label} ${recording.confidence(face).toFixed(2)}` : `not used, ${recording.reason(face).words}`}`];
    });
  }

  _lane(unit) {
    return Math.max(10, 1.1 * unit);
  }

  _drawBlock(context, block, y, tall) {
    if (!block) return;
    const { labels, colours } = this.recording;
    context.globalAlpha = this.only.size && !this.only.has(block.label) ? 0.2 : 1;
    context.fillStyle = block.label < 0 ? themeColour("--unused") : colours[labels[block.label]];
    context.fillRect(block.begin, y + (tall * (1 - block.share)) / 2, block.end - block.begin, tall * block.share);
  }

  _drawTrack(context, track, { left, width, view: [from, to], y, tall, unit }) {
    const { recording } = this;
    const scale = width / (to - from);
    const first = Math.max(track.first, lastNotAbove(recording.times, from, track.first, track.end));
    let block = null; // samples of one look that touch become one rectangle
    for (let i = first; i < track.end; i++) {
      const [starts, ends] = recording.spanOf(i);
      if (starts > to) break;
      const begin = Math.round(Math.max(left, left + (starts - from) * scale));
      const end = Math.round(Math.min(left + width, left + (ends - from) * scale));
      const isUsable = recording.isUsable(i);
      const label = isUsable ? recording.best[i] : -1;
      const share = !isUsable ? 0.25 : recording.abstain[i] ? 0.5 : 1;
      if (block && end <= block.end) continue;
      if (block && block.label === label && block.share === share && begin <= block.end + 1) block.end = end;
      else {
        this._drawBlock(context, block, y, tall);
        block = { begin: block ? Math.max(begin, block.end) : begin, end: Math.max(end, begin + 1), label, share };
      }
    }
    this._drawBlock(context, block, y, tall);
    context.globalAlpha = 1;
    const begin = Math.max(left, left + (track.start - from) * scale);
    const end = Math.min(left + width, left + (track.stop - from) * scale);
    const text = String(track.id);
    context.textBaseline = "middle";
    const wide = context.measureText(text).width + 0.5 * unit;
    if (end - begin < wide + 4) return;
    context.fillStyle = themeColour("--tag");
    context.fillRect(begin + 1, y + 1, wide, tall - 2);
    context.fillStyle = themeColour("--tag-ink");
    context.fillText(text, begin + 1 + 0.25 * unit, y + tall / 2 + 0.5);
  }
}

/** A column with one number 0..1 per analysed frame as a filled line: `values` in steps of 1/250. */
export class FrameRow {
  /** `moves` is 1 for frames with a moving camera, of which nothing is said. */
  constructor(recording, { name, values, moves = null }) {
    Object.assign(this, { recording, name, values, moves });
  }

  height(unit) {
    return 2 * unit;
  }

  draw(context, { left, width, y, height, view: [from, to] }) {
    const { frameBegins, frameEnds } = this.recording;
    const columns = new Float32Array(Math.ceil(width)).fill(-1);
    const scale = width / (to - from);
    for (let i = Math.max(0, lastNotAbove(frameBegins, from)); i < this.values.length && frameBegins[i] <= to; i++) {
      if (this.values[i] > STEPS) continue;
      const end = Math.min(columns.length, Math.max(1, Math.ceil((frameEnds[i] - from) * scale)));
      for (let at = Math.max(0, Math.floor((frameBegins[i] - from) * scale)); at < end; at++) columns[at] = Math.max(columns[at], this.values[i] / STEPS);
    }
    context.fillStyle = themeColour("--usable");
    columns.forEach((value, at) => {
      if (value >= 0) context.fillRect(left + at, y + height * (1 - value), 1, Math.max(1, height * value));
    });
  }

  words(seconds) {
    const frame = this.recording.frameAt(seconds);
    if (frame >= 0 && this.moves?.[frame]) return [[null, `${this.name}: unknown, the camera moves`]];
    return frame < 0 || this.values[frame] > STEPS ? null : [[null, `${this.name} ${(this.values[frame] / STEPS).toFixed(2)}`]];
  }
}

/** Rows of columns that a run may have beside faces; each is one entry of `frames.rows` of the content. */
export function frameRows(recording) {
  return (recording.frameColumns ?? []).map((column) => new FrameRow(recording, column));
}
