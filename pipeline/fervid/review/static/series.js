// The values behind the curves: scores of one face or the mean of all, raw, smoothed or relative. Draws nothing.

import { STEPS, unpack, unpackAll } from "./columns.js";
import { lastNotAbove } from "./dom.js";
import { openStretch } from "./recording.js";

export const MEAN = "mean";
export const KIND_WORDS = { readout: "read out over time", smoothed: "smoothed", raw: "as measured", relative: "relative to the face's usual expression" };
const FINE_AFTER_MS = 150;
const COARSER = 4; // a stretch this many times as long as the view is asked for anew, if it is thinned itself
const NOTHING = 65535;
const LARGEST = 65534;

/** A column of numbers of any size: steps between its lowest and its highest, and one that means nothing. */
export async function unpackNumbers({ low, high, column }) {
  const steps = await unpack(column);
  return Float32Array.from(steps, (step) => (step === NOTHING ? NaN : low + ((high - low) * step) / LARGEST));
}

export class Series {
  /**
   * `fetchScores(kind)` gives what `face_scores` makes, for kinds that the page does not hold yet, and
   * `fetchStretch(from, to, kind)` the faces of a stretch where the page has a part of the frames only; null for neither.
   */
  constructor(recording, fetchScores, fetchStretch = null) {
    this.recording = recording;
    this.fetchStretch = fetchStretch;
    this.fine = null;
    this.fetchScores = fetchScores;
    this.kind = (recording.content.kinds ?? ["smoothed"])[0];
    this.scores = { [this.kind]: recording.scores };
    this.means = {};
  }

  /** Kinds that can be shown: those of the run, as far as somebody can be asked for them. */
  get kinds() {
    const all = this.recording.content.kinds ?? ["smoothed"];
    return this.fetchScores ? all : all.filter((kind) => this.scores[kind]);
  }

  async setKind(kind) {
    if (!this.scores[kind]) this.scores[kind] = await unpackAll((await this.fetchScores(kind)).scores);
    this.kind = kind;
    this.fine = null;
  }

  /** The series that is fine enough for a view: this one, or that of a stretch around it, which `onFine` says is there. */
  for([from, to], onFine) {
    if (this.recording.every === 1 || !this.fetchStretch) return this;
    const { fine } = this;
    const covers = fine && fine.from <= from && to <= fine.to;
    const isFine = covers && (!fine.series || fine.series.recording.every === 1 || (to - from) * COARSER > fine.to - fine.from);
    if (isFine) return fine.series ?? this;
    if (to - from > this.recording.duration / this.recording.every) return this;
    const wanted = { from: from - (to - from), to: to + (to - from), kind: this.kind, series: null };
    this.fine = wanted;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(async () => {
      try {
        const recording = await openStretch(this.recording, await this.fetchStretch(wanted.from, wanted.to, wanted.kind));
        wanted.series = new Series(recording, null);
        if (this.fine === wanted) onFine();
      } catch {
        // The coarse curves stay.
      }
    }, FINE_AFTER_MS);
    return this;
  }

  /** Points of a subject: frames in order, and for each label its values in steps of 1/250; gaps are frames that do not follow. */
  of(subject) {
    if (subject === MEAN) return (this.means[this.kind] ??= this._mean());
    const track = this.recording.byId.get(subject);
    if (!track) return { frames: new Uint32Array(0), values: [], first: 0 };
    return {
      frames: this.recording.frame.subarray(track.first, track.end),
      values: this.scores[this.kind].map((column) => column.subarray(track.first, track.end)),
      first: track.first,
    };
  }

  /** Values at a moment, 0..1 in the order of labels; null where nobody usable is seen. */
  at(subject, seconds) {
    const frame = this.recording.frameAt(seconds);
    if (frame < 0) return null;
    if (subject !== MEAN) {
      const track = this.recording.byId.get(subject);
      const face = track ? this.recording.faceOf(track, frame) : -1;
      return face < 0 ? null : this.scores[this.kind].map((column) => column[face] / STEPS);
    }
    const { frames, values } = this.of(MEAN);
    const every = this.recording.every;
    const place = lastNotAbove(frames, every === 1 ? frame : Math.min(Math.round(frame / every) * every, this.recording.lastStored));
    if (place < 0 || frame - frames[place] >= every) return null;
    return values.map((column) => column[place] / STEPS);
  }

  /** The mean over the usable faces of each frame that has one. */
  _mean() {
    const { recording } = this;
    const scores = this.scores[this.kind];
    const counts = new Uint16Array(recording.frameTimes.length);
    for (let i = 0; i < recording.frame.length; i++) if (recording.isUsable(i)) counts[recording.frame[i]] += 1;
    const frames = [];
    const place = new Int32Array(counts.length).fill(-1);
    counts.forEach((n, frame) => {
      if (n) place[frame] = frames.push(frame) - 1;
    });
    const values = scores.map((column) => {
      const sums = new Float32Array(frames.length);
      for (let i = 0; i < column.length; i++) if (recording.isUsable(i)) sums[place[recording.frame[i]]] += column[i];
      for (let i = 0; i < sums.length; i++) sums[i] /= counts[frames[i]];
      return sums;
    });
    return { frames: Uint32Array.from(frames), values, first: 0 };
  }
}

/**
 * The lowest and highest value in each pixel column, and where a line breaks. `timeOf(i)` is the time of point i,
 * `follows(i)` whether point i continues point i - 1. Gives arrays x, low, high, begin, end and `starts` (a line starts
 * there), one entry per column that has a point. Values are those of `column`; NaN is left out.
 */
export function reduceToPixels({ n, timeOf, follows, column, view: [from, to], width }) {
  const scale = width / (to - from);
  let first = 0;
  let high = n;
  while (first < high) {
    const middle = (first + high) >> 1;
    if (timeOf(middle) < from) first = middle + 1;
    else high = middle;
  }
  first = Math.max(0, first - 1);
  const points = [];
  let current = null;
  let isBroken = true;
  for (let i = first; i < n; i++) {
    const seconds = timeOf(i);
    const value = column[i];
    if (Number.isNaN(value)) {
      isBroken = true;
      continue;
    }
    const x = (seconds - from) * scale;
    const starts = isBroken || !follows(i);
    isBroken = false;
    if (current && !starts && Math.floor(x) === Math.floor(current.x)) {
      current.low = Math.min(current.low, value);
      current.high = Math.max(current.high, value);
      current.last = value;
    } else points.push((current = { x, low: value, high: value, firstValue: value, last: value, starts, index: i }));
    if (seconds > to) break;
  }
  return points;
}
