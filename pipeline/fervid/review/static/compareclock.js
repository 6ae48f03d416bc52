// When videos begin on one axis of time: all at zero, or as the clocks of their recordings say. Draws nothing.

/** Milliseconds at which a recording began; null where nobody knows. With `inUtc` by UTC, else by the clock on the wall. */
function beginOf({ recorded }, inUtc) {
  const text = inUtc ? recorded?.utc : recorded?.local;
  if (!text) return null;
  const moment = Date.parse(inUtc ? text : `${text.slice(0, 23)}Z`);
  return Number.isFinite(moment) ? moment : null;
}

/** The begin of each content by the clock, in milliseconds; null unless all of them tell it. UTC where all have that. */
export function clockBegins(contents) {
  for (const inUtc of [true, false]) {
    const begins = contents.map((content) => beginOf(content, inUtc));
    if (begins.every((begin) => begin !== null)) return begins;
  }
  return null;
}

/** When each content begins in seconds, the first at zero: by the clock, or all at once; `shifts` are added. */
export function offsetsOf(contents, { byClock, shifts }) {
  const begins = byClock ? clockBegins(contents) : null;
  const offsets = contents.map((_, i) => (begins ? (begins[i] - Math.min(...begins)) / 1000 : 0) + shifts[i]);
  const first = Math.min(0, ...offsets);
  return offsets.map((offset) => offset - first);
}

/** The local time at the zero of the axis, as the content of a run states it; null unless aligned by the clock. */
export function recordedOf(contents, offsets) {
  const first = offsets.indexOf(Math.min(...offsets));
  const begin = beginOf(contents[first], false);
  return begin === null ? null : { local: new Date(begin - 1000 * offsets[first]).toISOString().slice(0, 23), utc: null };
}

/** Whether the clocks say that the videos overlap: otherwise the axis would be mostly empty. */
export function doOverlap(recordings, offsets) {
  const latest = Math.max(...offsets);
  return recordings.every(({ duration }, i) => offsets[i] + duration > latest);
}
