// Two or more videos, or faces of them, side by side: one cursor, one clock, one axis of time.

import { hashOf } from "./address.js";
import { clockBegins, doOverlap, offsetsOf, recordedOf } from "./compareclock.js";
import { LookRow, MovedRow, strokeOf } from "./comparerows.js";
import { CurveRow } from "./curves.js";
import { announce, clamp, clock, count, fill, h, isTyping, span } from "./dom.js";
import { Player } from "./player.js";
import { openRecording } from "./recording.js";
import { AlertsRow, UseRow } from "./rows.js";
import { MEAN, Series } from "./series.js";
import { Timeline } from "./timeline.js";

const MOST_VIDEOS = 4;
const MOST_FACES_LISTED = 200;
const LETTERS = "ABCD";
const DRIFT_SECONDS = 0.2;
const AT_END_SECONDS = 0.05;
const SPEEDS = [0.25, 0.5, 1, 2, 4];
const WORDS_EVERY_MS = 150;

export class CompareView {
  /** `list` is that of the runs; `options` those of the address. */
  static async open(list, { carrier, keeper, options }) {
    const part = (name) => (options.get(name) ?? "").split(",");
    const view = new CompareView(list, { carrier, keeper, options });
    const ids = part("runs").filter(Boolean).slice(0, MOST_VIDEOS);
    const lost = [];
    for (const [i, id] of ids.entries()) {
      const content = await carrier.run(id).catch(() => null);
      if (!content) lost.push(id);
      else await view._take(content, id, { subject: Number(part("faces")[i]) || (part("faces")[i] === "0" ? 0 : MEAN), shift: Number(part("shift")[i]) || 0 });
    }
    if (lost.length) view.problem = `${count(lost.length, "video")} of this address cannot be shown.`;
    view._arrange();
    view.seek(Number(options.get("at")) || 0);
    return view;
  }

  constructor(list, { carrier, keeper, options }) {
    Object.assign(this, { list, carrier, keeper });
    this.items = [];
    this.time = 0;
    this.duration = 0.001;
    this.rate = 1;
    this.isPlaying = false;
    this.byClock = options.get("clock") !== "start";
    this.byLook = options.get("by") === "look";
    this.only = new Set((options.get("looks") ?? "").split(",").filter(Boolean));
    this.heading = h("h1", { tabindex: "-1" }, "Side by side");
    this.tools = h("div", { class: "group compare-tools" });
    this.note = h("p", { class: "quiet", role: "status" });
    this.screens = h("div", { class: "compare-screens" });
    this.button = h("button", { type: "button", class: "primary", onclick: () => this.toggle() }, "▶ Play");
    this.readout = h("span", { class: "time", role: "timer", "aria-label": "Time" });
    const rate = h("select", { "aria-label": "Speed", onchange: (event) => this._setRate(Number(event.target.value)) }, SPEEDS.map((value) => h("option", { value, selected: value === 1 }, `${value}×`)));
    this.legend = h("div", { role: "group", "aria-label": "Show these expressions only", class: "swatches" });
    this.chart = h("div", {});
    this.body = h("div", { class: "compare-body" }, this.screens,
      h("section", { class: "panel charts", "aria-label": "Timeline" }, h("div", { class: "controls" }, this.button, this.readout, rate, h("span", { class: "gap" })),
        h("div", { class: "legend" }, this.legend), this.chart));
    this.element = h("div", { class: "compare" }, h("header", { class: "run-head" }, this.heading, this.tools), this.note, this.body);
  }

  onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target) || !this.items.length) return false;
    const long = event.shiftKey ? 10 : 1;
    const isOnButton = event.target instanceof HTMLElement && event.target.matches("button, a, summary");
    const actions = {
      ArrowLeft: () => this.seek(this.time - long), ArrowRight: () => this.seek(this.time + long),
      Home: () => this.seek(0), End: () => this.seek(this.duration),
      "+": () => this.timeline.zoom(2), "-": () => this.timeline.zoom(0.5),
      PageUp: () => this.timeline.pan(-0.5), PageDown: () => this.timeline.pan(0.5),
      g: () => this.timeline.goTo.focus(),
      b: () => this.items.forEach(({ player }) => player.toggleBoxes()),
    };
    if (event.key === " " && !isOnButton) this.toggle();
    else if (event.key in actions) actions[event.key]();
    else return false;
    if (document.activeElement === this.timeline.slider) this.timeline.sayMoment();
    return true;
  }

  toggle() {
    if (this.isPlaying || !this.items.length) return this._stop();
    if (this.time >= this.duration - AT_END_SECONDS) this.seek(0);
    this.isPlaying = true;
    this.button.textContent = "❚❚ Pause";
    this.lastTick = performance.now();
    requestAnimationFrame(() => this._tick());
  }

  /** Goes to a moment of the axis: every video to its own. */
  seek(seconds) {
    this.time = clamp(seconds, 0, this.duration);
    for (const item of this.items) item.player.seek(clamp(this.time - item.offset, 0, item.recording.duration));
    this._follow(true);
    this._tell(true);
  }

  redraw() {
    this.timeline?.draw();
    for (const { player } of this.items) player.drawOverlay();
  }

  focus() {
    this.heading.focus({ preventScroll: true });
    announce(`Side by side: ${count(this.items.length, "video")}`);
  }

  destroy() {
    this.isGone = true;
    this._stop();
    for (const { player } of this.items) player.destroy();
  }

  async _take(content, id, { subject = MEAN, shift = 0 } = {}) {
    const recording = await openRecording(content);
    const item = { id, recording, subject: recording.byId.has(subject) ? subject : MEAN, shift, offset: 0, series: new Series(recording, null), alerts: new AlertsRow() };
    item.alerts.set(content.alerts ?? [], null);
    const leader = { toggle: () => this.toggle(), seek: (seconds) => this.seek(seconds + item.offset) };
    item.player = new Player(recording, content.media ?? null, { onTime: () => {}, leader });
    this.items.push(item);
  }

  async _add(id) {
    this.note.textContent = "Opening …";
    const content = await this.carrier.run(id).catch((problem) => ({ problem }));
    if (this.isGone) return;
    if (!content || content.problem) this.problem = `This video cannot be shown${content ? `: ${content.problem.message}` : ""}.`;
    else await this._take(content, id);
    this._arrange();
    this.seek(this.time);
  }

  _remove(item) {
    item.player.destroy();
    this.items = this.items.filter((one) => one !== item);
    this._arrange();
    this.seek(this.time);
    this.tools.querySelector("select")?.focus();
  }

  /** Where each video lies on the axis, and everything that follows from it. */
  _arrange() {
    const contents = this.items.map(({ recording }) => recording.content);
    const shifts = this.items.map(({ shift }) => shift);
    const isKnown = this.items.length > 0 && clockBegins(contents) !== null;
    this.isByClock = isKnown && this.byClock;
    let offsets = offsetsOf(contents, { byClock: this.isByClock, shifts });
    const isApart = this.isByClock && !doOverlap(this.items.map(({ recording }) => recording), offsets);
    if (isApart) {
      this.isByClock = false;
      offsets = offsetsOf(contents, { byClock: false, shifts });
    }
    this.items.forEach((item, i) => Object.assign(item, { offset: offsets[i], place: i, letter: LETTERS[i] }));
    this.duration = Math.max(0.001, ...this.items.map(({ offset, recording }) => offset + recording.duration));
    this.time = Math.min(this.time, this.duration);
    this._drawTools(isKnown && !isApart);
    this._drawScreens();
    this._drawNote(isKnown, isApart);
    this._drawChart(contents, offsets);
    this.body.hidden = !this.items.length;
  }

  _drawNote(isKnown, isApart) {
    const unknown = this.items.filter(({ recording }) => !recording.content.recorded).map(({ letter }) => letter);
    const words = !this.items.length ? "Add a video, and another one, or another face of the same."
      : this.isByClock ? "Aligned by the clocks of the recordings, as exact as those are."
        : isApart ? "Each from its own start: by their clocks the recordings do not overlap."
          : isKnown ? "Each from its own start." : `Each from its own start: when ${unknown.join(", ") || "some"} began is unknown.`;
    fill(this.note, this.problem ? h("b", {}, `${this.problem} `) : null, words);
    this.problem = null;
  }

  _drawTools(canAlign) {
    const cards = this.list.runs.filter((card) => !card.href && !card.is_left_out);
    const select = (label, choices, current, act, attributes = {}) => h("select", { "aria-label": label, onchange: (event) => act(event.target.value), ...attributes },
      choices.map(([value, words]) => h("option", { value, selected: value === current }, words)));
    fill(this.tools,
      this.items.length < MOST_VIDEOS ? select("Add a video", [["", "add a video …"], ...cards.map((card) => [card.id, `${card.name}, ${span(card.duration_s)}`])], "", (id) => id && this._add(id)) : null,
      select("Align", [["clock", "by the clock"], ["start", "from the start of each"]], this.isByClock ? "clock" : "start", (value) => {
        this.byClock = value === "clock";
        this._arrange();
        this.seek(this.time);
      }, { disabled: !canAlign }),
      select("Rows", [["video", "a row per video"], ["look", "a row per expression"]], this.byLook ? "look" : "video", (value) => {
        this.byLook = value === "look";
        this._setRows();
        this._write();
      }));
  }

  _drawScreens() {
    fill(this.screens, this.items.map((item) => {
      const { recording, player, id, letter, place } = item;
      const longest = [...recording.tracks].sort((a, b) => b.stop - b.start - (a.stop - a.start)).slice(0, MOST_FACES_LISTED).sort((a, b) => a.id - b.id);
      const face = h("select", { "aria-label": `Face of ${letter}`, onchange: (event) => {
        item.subject = event.target.value === MEAN ? MEAN : Number(event.target.value);
        this._setRows();
        this._write();
        this._tell(true);
      } }, [[MEAN, "mean of faces"], ...longest.map((track) => [track.id, `track ${track.id}, ${clock(track.start, 0)} to ${clock(track.stop, 0)}`])]
        .map(([value, words]) => h("option", { value: String(value), selected: value === item.subject }, words)));
      const shift = h("input", { type: "number", step: 0.1, value: item.shift, "aria-label": `Move ${letter} by seconds`, title: "Move it by seconds, where clocks differ", onchange: (event) => {
        item.shift = Number(event.target.value) || 0;
        this._arrange();
        this.seek(this.time);
      } });
      const sound = h("button", { type: "button", "aria-pressed": String(!player.video.muted), onclick: (event) => {
        player.video.muted = !player.video.muted;
        event.currentTarget.setAttribute("aria-pressed", String(!player.video.muted));
      } }, "Sound");
      if (!item.isHeard) [player.video.muted, item.isHeard] = [place > 0, true];
      sound.setAttribute("aria-pressed", String(!player.video.muted));
      const dot = h("span", { class: "dot", "aria-hidden": "true" });
      dot.style.background = strokeOf(place).colour;
      item.seen = h("p", { class: "quiet" });
      item.link = h("a", { href: `#/run/${id}` }, recording.content.name);
      item.card = h("section", { class: "compared", "aria-label": `${letter}: ${recording.content.name}` },
        h("h2", {}, dot, `${letter} `, item.link), player.element, item.seen,
        h("div", { class: "group" }, face, h("label", { class: "shift" }, "moved by ", shift, " s"), sound,
          h("button", { type: "button", "aria-label": `Remove ${letter}`, onclick: () => this._remove(item) }, "Remove")));
      return item.card;
    }));
  }

  _drawChart(contents, offsets) {
    const labels = [...new Set(contents.flatMap((content) => content.labels))];
    this.labels = labels;
    this.only = new Set([...this.only].filter((label) => labels.includes(label)));
    this.values = new Map();
    fill(this.legend, labels.map((label) => {
      const dot = h("span", { class: "dot", "aria-hidden": "true" });
      dot.style.background = contents.find((content) => content.colours[label]).colours[label];
      const value = h("span", { class: "value" });
      this.values.set(label, value);
      return h("button", { type: "button", class: "swatch", "aria-pressed": String(this.only.has(label)), onclick: (event) => {
        if (!this.only.delete(label)) this.only.add(label);
        event.currentTarget.setAttribute("aria-pressed", String(this.only.has(label)));
        this._setRows();
        this._write();
      } }, dot, label, " ", value);
    }));
    const joined = { duration: this.duration, content: { recorded: this.isByClock ? recordedOf(contents, offsets) : null }, describe: (seconds) => this._describe(seconds) };
    this.timeline = new Timeline(joined, { onSeek: (seconds) => this.seek(seconds) });
    this.timeline.showWall(this.isByClock);
    fill(this.chart, this.timeline.element);
    this._setRows();
  }

  _setRows() {
    const shown = this.labels.filter((label) => !this.only.size || this.only.has(label));
    const rows = this.items.flatMap((item) => {
      const { letter, recording, series, subject } = item;
      const curve = new CurveRow(recording, series, subject);
      Object.assign(curve, { only: new Set([...this.only].map((label) => recording.labels.indexOf(label)).filter((c) => c >= 0)) });
      return [
        new MovedRow(item.alerts, item, `${letter} alerts`), this.byLook ? null : new MovedRow(curve, item, `${letter} ${curve.name}`),
        new MovedRow(new UseRow(recording), item, `${letter} usable`),
      ];
    });
    this.timeline.setRows([...(this.byLook ? shown.map((label) => new LookRow(label, this.items)) : []), ...rows]);
  }

  /** The clock of all videos: it waits for the slowest, and brings back who drifts. */
  _tick() {
    if (!this.isPlaying || this.isGone) return;
    const now = performance.now();
    const isWaiting = this.items.some((item) => this._isInside(item) && !item.player.isReady);
    if (!isWaiting) this.time = Math.min(this.duration, this.time + ((now - this.lastTick) / 1000) * this.rate);
    this.lastTick = now;
    this._follow(isWaiting);
    this._tell();
    if (this.time >= this.duration) this._stop();
    else requestAnimationFrame(() => this._tick());
  }

  _isInside({ offset, recording }) {
    const own = this.time - offset;
    return own >= 0 && own < recording.duration - AT_END_SECONDS;
  }

  _follow(isHeld) {
    for (const item of this.items) {
      const { player, offset, recording, card } = item;
      const isInside = this._isInside(item);
      const own = clamp(this.time - offset, 0, recording.duration);
      card?.classList.toggle("away", !isInside && (this.time < offset || this.time > offset + recording.duration));
      if (player.hasNoPicture) player.seek(own);
      else if (!isInside || !this.isPlaying || isHeld) {
        if (player.isPlaying) player.pause();
      } else {
        if (!player.isPlaying) player.play();
        if (Math.abs(player.time - own) > DRIFT_SECONDS * Math.max(1, this.rate)) player.seek(own);
      }
    }
  }

  _stop() {
    this.isPlaying = false;
    this.button.textContent = "▶ Play";
    for (const { player } of this.items) if (player.isPlaying) player.pause();
    if (!this.isGone && this.items.length) this.seek(this.time);
  }

  _setRate(rate) {
    this.rate = rate;
    for (const { player } of this.items) player.setRate(rate);
  }

  _tell(isLast = false) {
    if (!this.timeline) return;
    this.timeline.setTime(this.time);
    this.readout.textContent = `${this.timeline.timeText(this.time)} / ${this.timeline.timeText(this.duration)}`;
    const now = performance.now();
    if (!isLast && now - (this.told ?? 0) < WORDS_EVERY_MS) return;
    this.told = now;
    const found = this.items.map(({ series, subject, offset }) => series.at(subject, this.time - offset));
    for (const [label, element] of this.values ?? []) {
      const text = found.map((values, i) => (values ? values[this.items[i].recording.labels.indexOf(label)]?.toFixed(2) ?? "–" : "–")).join(" | ");
      if (element.textContent !== text) element.textContent = text;
    }
    for (const item of this.items) this._tellOne(item);
    if (isLast) {
      this.timeline.sayMoment();
      this._write();
    }
  }

  _tellOne({ seen, link, id, recording, offset }) {
    const own = this.time - offset;
    const isOutside = own < 0 || own > recording.duration;
    const words = isOutside ? `not recorded then: ${clock(0, 0)} to ${clock(recording.duration, 0)} is ${this.timeline.timeText(offset, 0)} to ${this.timeline.timeText(offset + recording.duration, 0)}` : `${clock(own)}, ${recording.describe(own)}`;
    if (seen && seen.textContent !== words) seen.textContent = words;
    link?.setAttribute("href", `#/run/${id}@${clamp(own, 0, recording.duration).toFixed(1)}`);
  }

  _describe(seconds) {
    return this.items.filter(({ offset, recording }) => seconds >= offset && seconds <= offset + recording.duration)
      .map(({ letter, recording, offset }) => `${letter}: ${recording.describe(seconds - offset)}`).join("; ") || "no video";
  }

  _write() {
    const { items } = this;
    const part = (values, usual) => (values.every((value) => value === usual) ? "" : values.join(","));
    this.keeper.write(hashOf("compare", {
      runs: items.map(({ id }) => id).join(","), faces: part(items.map(({ subject }) => subject), MEAN), shift: part(items.map(({ shift }) => shift), 0),
      clock: this.byClock ? "" : "start", by: this.byLook ? "look" : "", looks: [...this.only].join(","), at: this.time.toFixed(1),
    }));
  }
}
