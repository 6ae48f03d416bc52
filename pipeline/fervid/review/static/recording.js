// One run, unpacked: what is on the page at a moment. Draws nothing.

import { clamp, lastNotAbove } from "./dom.js";
import { STEPS, unpack, unpackAll, unpackTimes } from "./columns.js";

import { openMotion } from "./motion.js";

export const NO_FACE = 0;
export const NOT_USED = 1;
export const USABLE = 2;

/** Unpacks the content of a run. */
export async function openRecording(content) {
  const { timeline, frames, faces } = content;
  const [starts, ends, frameTimes, frameBegins, frameEnds, cuts] = await Promise.all(
    [timeline.start, timeline.end, frames.time, frames.begin, frames.end, frames.cuts].map(unpackTimes),
  );
  const [coverage, shows, frame, track, x, y, w, height, quality, abstain] = await unpackAll(
    [timeline.coverage, frames.shows, faces.frame, faces.track, faces.x, faces.y, faces.w, faces.h, faces.quality, faces.abstain],
  );
  const motion = await openMotion(content.motion);
  const means = await unpackAll(timeline.means);
  const scores = await unpackAll(faces.scores);
  const times = Float64Array.from(frame, (i) => frameTimes[i]);
  return new Recording(content, {
    starts, ends, coverage, means, frameTimes, frameBegins, frameEnds, shows, cuts, times, frame, track, x, y, w, h: height, quality,
    abstain, scores, motion, frameColumns: motion ? [{ name: "agitated motion", values: motion.agitation, moves: motion.moves }] : [],
  });
}

/** The same run with other faces: those of a stretch, as a server sends them where the page has every second frame only. */
export async function openStretch(recording, { faces, faces_of_every: every }) {
  const [frame, track, x, y, w, height, quality, abstain] = await unpackAll(
    [faces.frame, faces.track, faces.x, faces.y, faces.w, faces.h, faces.quality, faces.abstain],
  );
  const scores = await unpackAll(faces.scores);
  const { starts, ends, coverage, means, frameTimes, frameBegins, frameEnds, shows, cuts } = recording;
  return new Recording({ ...recording.content, faces_of_every: every }, {
    starts, ends, coverage, means, frameTimes, frameBegins, frameEnds, shows, cuts, times: Float64Array.from(frame, (i) => frameTimes[i]), frame, track, x, y, w, h: height,
    quality, abstain, scores,
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
    this.every = content.faces_of_every ?? 1;
    this.best = this._bestLabels();
    this.tracks = this._tracks();
    this.byId = new Map(this.tracks.map((track) => [track.id, track]));
    this.lanes = pack(this.tracks);
    this.usableReasons = new Set(content.usable_reasons);
    this.isUsableCode = Uint8Array.from(this.reasonNames, (name) => (!name || this.usableReasons.has(name) ? 1 : 0));
  }

  get lastStored() {
    return Math.floor((this.frameTimes.length - 1) / this.every) * this.every;
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

  /** Why nothing is known of faces at a moment: none is there, or none may be used, with the reasons; null where one is used. */
  whyUnknown(seconds) {
    if (this.frameAt(seconds) < 0) return "no frame was analysed here";
    const faces = this.facesAt(seconds);
    if (!faces.length) return "no face in view";
    if (faces.some(({ face }) => this.isUsable(face))) return null;
    const words = new Set(faces.map(({ face }) => this.reason(face)?.words).filter(Boolean));
    return words.size ? `no face is used: ${[...words].join(", ")}` : "no face is used";
  }

  /** Whether the quality of a face was good enough; being between two expressions does not count against it. */
  isUsable(face) {
    return this.isUsableCode[this.abstain[face]] === 1;
  }

  /** The analysed frame that stands for a moment, as in the tables; -1 where none does. */
  frameAt(seconds) {
    const frame = lastNotAbove(this.frameBegins, seconds);
    const isEnd = frame === this.frameTimes.length - 1 && seconds <= this.duration + 1e-6;
    return frame >= 0 && (seconds < this.frameEnds[frame] || (isEnd && seconds <= this.frameEnds[frame] + 1e-6)) ? frame : -1;
  }

  /** From when to when a stored face stands for what is seen. */
  spanOf(face) {
    const frame = this.frame[face];
    if (this.every === 1) return [this.frameBegins[frame], this.frameEnds[frame]];
    const [first, last] = this._nearFrames(frame);
    return [this.frameBegins[first], this.frameEnds[last]];
  }

  /** The face of a track that a frame shows; -1 for none. */
  faceOf(track, frame) {
    const stored = this.every === 1 ? frame : Math.min(Math.round(frame / this.every) * this.every, this.lastStored);
    const face = lastNotAbove(this.frame, stored, track.first, track.end);
    return face >= 0 && this.frame[face] === stored ? face : -1;
  }

  /** The faces at a moment; a box moves evenly to the next one while frames follow each other without a gap. */
  facesAt(seconds) {
    const found = [];
    const frame = this.frameAt(seconds);
    if (frame < 0) return found;
    for (const track of this.tracks) {
      if (this.frame[track.first] > frame + this.every) break;
      if (this.frame[track.end - 1] < frame - this.every) continue;
      const face = this.faceOf(track, frame);
      if (face < 0) continue;
      const other = seconds >= this.times[face] ? face + 1 : face - 1;
      const isNear = other >= track.first && other < track.end && this._follows(Math.min(face, other), Math.max(face, other));
      found.push({ track, face, box: isNear ? this._between(face, other, (seconds - this.times[face]) / (this.times[other] - this.times[face])) : this._box(face) });
    }
    return found;
  }

  /** Whether no time lies between what two faces of a track, one after the other, stand for. */
  _follows(before, after) {
    return this.spanOf(after)[0] - this.spanOf(before)[1] < 2e-3;
  }

  /** First and last frame for which a stored one stands in a run that is thinned on the page. */
  _nearFrames(frame) {
    const half = this.every / 2;
    return [Math.max(0, Math.ceil(frame - half)), Math.min(this.frameTimes.length - 1, Math.ceil(frame + half) - 1)];
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
