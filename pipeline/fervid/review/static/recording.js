// One run, unpacked: what is on the page at a moment. Draws nothing.

import { clamp, lastNotAbove } from "./dom.js";
import { STEPS, unpack, unpackAll, unpackTimes } from "./columns.js";

export const NO_FACE = 0;
export const NOT_USED = 1;
export const USABLE = 2;

/** Unpacks the content of a run. */
export async function openRecording(content) {
  const { timeline, frames, faces } = content;
  const [starts, ends, frameTimes, cuts] = await Promise.all(
    [timeline.start, timeline.end, frames.time, frames.cuts].map(unpackTimes),
  );
  const [coverage, shows, frame, track, x, y, w, height, quality, abstain] = await unpackAll(
    [timeline.coverage, frames.shows, faces.frame, faces.track, faces.x, faces.y, faces.w, faces.h, faces.quality, faces.abstain],
  );
  const means = await unpackAll(timeline.means);
  const scores = await unpackAll(faces.scores);
  const times = Float64Array.from(frame, (i) => frameTimes[i]);
  return new Recording(content, {
    starts, ends, coverage, means, frameTimes, shows, cuts, times, track, x, y, w, h: height, quality, abstain, scores,
  });
}

class Recording {
  constructor(content, columns) {
    Object.assign(this, columns);
    this.content = content;
    this.duration = Math.max(content.duration_s, 0.001);
    this.labels = content.labels;
    this.colours = content.colours;
    this.reasonNames = ["", ...Object.keys(content.reasons)];
    this.best = this._bestLabels();
    this.tracks = this._tracks();
    this.lanes = pack(this.tracks);
    this.usableReasons = new Set(content.usable_reasons);
  }

  /** The largest label of each face. */
  _bestLabels() {
    const best = new Uint8Array(this.times.length);
    for (let i = 0; i < best.length; i++) {
      for (let c = 1; c < this.labels.length; c++) if (this.scores[c][i] > this.scores[best[i]][i]) best[i] = c;
    }
    return best;
  }

  /** The position of each track in the columns, and what it looks like for most of its faces; in order of start. */
  _tracks() {
    const tracks = [];
    for (let first = 0; first < this.track.length; ) {
      let end = first;
      const counts = new Array(this.labels.length).fill(0);
      for (; end < this.track.length && this.track[end] === this.track[first]; end++) counts[this.best[end]] += 1;
      tracks.push({
        id: this.track[first], first, end, start: this.times[first], stop: this.times[end - 1],
        label: counts.indexOf(Math.max(...counts)), lane: 0,
      });
      first = end;
    }
    return tracks.sort((a, b) => a.start - b.start);
  }

  score(label, face) {
    return this.scores[label][face] / STEPS;
  }

  confidence(face) {
    return this.score(this.best[face], face);
  }

  /** Why the label of a face should not be used; null when it may be. */
  reason(face) {
    const name = this.reasonNames[this.abstain[face]];
    return name ? { name, words: this.content.reasons[name] } : null;
  }

  /** Whether the quality of a face was good enough; being between two expressions does not count against it. */
  isUsable(face) {
    const reason = this.reason(face);
    return reason === null || this.usableReasons.has(reason.name);
  }

  /** How long a stored face counts, to either side, in seconds. */
  get reach() {
    return Math.min(this.content.hold_s, Math.max(this.content.reach_s * (this.content.faces_of_every ?? 1), 0.05));
  }

  /** The faces at a moment, boxes carried evenly from one stored moment to the next. */
  facesAt(seconds) {
    const found = [];
    for (const track of this.tracks) {
      if (track.start - this.reach > seconds) break;
      if (track.stop + this.reach < seconds) continue;
      const before = lastNotAbove(this.times, seconds, track.first, track.end);
      const after = before < 0 ? track.first : before + 1;
      const hasNext = after < track.end;
      const near = before < 0 || (hasNext && this.times[after] - seconds < seconds - this.times[before]) ? after : before;
      const gap = hasNext && before >= 0 ? this.times[after] - this.times[before] : Infinity;
      if (gap <= 2 * this.content.hold_s && before >= 0) {
        found.push({ track, face: near, box: this._between(before, after, (seconds - this.times[before]) / gap) });
      } else if (Math.abs(this.times[near] - seconds) <= this.reach) {
        found.push({ track, face: near, box: this._box(near) });
      }
    }
    return found;
  }

  _box(face) {
    return [this.x[face], this.y[face], this.w[face], this.h[face]];
  }

  _between(before, after, share) {
    const a = this._box(before);
    const b = this._box(after);
    return a.map((side, i) => side + clamp(share, 0, 1) * (b[i] - side));
  }

  /** A moment in words, for those who listen. */
  describe(seconds) {
    const faces = this.facesAt(seconds);
    if (!faces.length) return "no face";
    const words = faces.slice(0, 3).map(({ track, face }) => {
      const reason = this.isUsable(face) ? null : this.reason(face);
      return `track ${track.id} ${reason ? `not used, ${reason.words}` : `looks ${this.labels[this.best[face]]}`}`;
    });
    return words.join(", ") + (faces.length > 3 ? ` and ${faces.length - 3} more` : "");
  }
}

/** Puts tracks that do not meet into the same lane; returns how many lanes there are. */
function pack(tracks) {
  const freeFrom = [];
  for (const track of tracks) {
    let lane = freeFrom.findIndex((time) => time <= track.start);
    if (lane < 0) lane = freeFrom.push(0) - 1;
    freeFrom[lane] = track.stop + 0.5;
    track.lane = lane;
  }
  return freeFrom.length;
}
