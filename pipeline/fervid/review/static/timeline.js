// The axis of time of a run: rows of charts above each other, one cursor, a selection, zoom and pan. Knows no row's content.
//
// A row is `{name, height(unit), draw(context, area), words(seconds)}`: `area` is `{left, width, y, height, view, unit, x}`,
// `words` gives lines for the card at the pointer, each `[colour or null, text]`; null for none.

import { clamp, clock, fill, h, span, themeColour } from "./dom.js";
import { fit } from "./paint.js";

const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
const LEAST_VIEW_SECONDS = 1;
const ZOOM = 2;
const DRAG_PX = 4;
const HANDLE_PX = 6;
const JUMP_SECONDS = 0.6;
const MOST_TOLD = 3;
const DAY_MS = 86_400_000;

export class Timeline {
  /** `onSeek(seconds)` when a moment is chosen, `onSelect([from, to] or null)`, `onView([from, to])` when it is zoomed. */
  constructor(recording, { onSeek, onSelect = () => {}, onView = () => {} }) {
    Object.assign(this, { recording, onSeek, onSelect, onView });
    this.view = [0, recording.duration];
    this.time = 0;
    this.hover = null;
    this.selection = null;
    this.rows = [];
    this.places = [];
    this.follows = true;
    this.wallStart = wallClockStart(recording.content.recorded);
    this.showsWall = false;
    this.chart = h("canvas", { class: "chart", "aria-hidden": "true" });
    this.cursor = h("canvas", { class: "cursor", "aria-hidden": "true" });
    this.card = h("div", { class: "card", "aria-hidden": "true", hidden: true });
    this.slider = h(
      "div",
      {
        class: "timeline", role: "slider", tabindex: "0", "aria-label": "Moment of the video", "aria-valuemin": "0",
        "aria-valuemax": recording.duration.toFixed(1), "aria-orientation": "horizontal",
      },
      this.chart, this.cursor, this.card,
    );
    this.range = h("span", { class: "range" });
    this.tools = this._tools();
    this.element = h("div", { class: "timeline-block" }, this.tools, this.slider);
    this._listen();
    new ResizeObserver(() => this.draw()).observe(this.slider);
  }

  /** The rows from top to bottom; null ones are left out. */
  setRows(rows) {
    this.rows = rows.filter((row) => row !== null);
    this.draw();
  }

  /** Moves the cursor; a view that is zoomed in follows it, unless it was moved away on purpose. */
  setTime(seconds) {
    if (Math.abs(seconds - this.time) > JUMP_SECONDS) this.follows = true;
    this.time = seconds;
    const [from, to] = this.view;
    const isOutside = seconds < from || seconds > to;
    if (!isOutside) this.follows = true;
    else if (this.follows && !this.mode) this.show(seconds - 0.1 * (to - from), to - from);
    this.slider.setAttribute("aria-valuenow", seconds.toFixed(1));
    this._drawCursor();
  }

  /** Words for the moment of the cursor; slower than the cursor, so that listeners can follow. */
  sayMoment() {
    this.slider.setAttribute("aria-valuetext", `${this.timeText(this.time)}, ${this.recording.describe(this.time)}`);
  }

  select(range) {
    const [a, b] = range ?? [0, 0];
    this.selection = b - a > 1e-3 ? [clamp(a, 0, this.recording.duration), clamp(b, 0, this.recording.duration)] : null;
    this._drawCursor();
    this.onSelect(this.selection);
  }

  zoom(factor, around = this.time) {
    const [from, to] = this.view;
    const length = clamp((to - from) / factor, LEAST_VIEW_SECONDS, this.recording.duration);
    const share = to > from ? clamp((around - from) / (to - from), 0, 1) : 0;
    this.show(around - share * length, length);
  }

  /** Moves the view by a share of its length, whatever the cursor does. */
  pan(share) {
    const [from, to] = this.view;
    this.show(from + share * (to - from), to - from);
    this.follows = this.time >= this.view[0] && this.time <= this.view[1];
  }

  show(from, wanted) {
    const length = clamp(wanted, Math.min(LEAST_VIEW_SECONDS, this.recording.duration), this.recording.duration);
    const start = clamp(from, 0, Math.max(0, this.recording.duration - length));
    this.view = [start, start + length];
    this.draw();
    this.onView(this.view);
  }

  /** Times on the axis as on the clock of the wall, where the run knows when it was recorded. */
  showWall(isOn) {
    this.showsWall = isOn && this.wallStart !== null;
    this.wallButton?.setAttribute("aria-pressed", String(this.showsWall));
    this.draw();
  }

  timeText(seconds, digits = 1) {
    return this.showsWall ? wallText(this.wallStart, seconds, digits) : clock(seconds, digits);
  }

  /** Seconds at a place on the screen. */
  secondsAt(clientX) {
    const box = this.slider.getBoundingClientRect();
    const { left, width } = this._area(box.width);
    return clamp(this.view[0] + ((clientX - box.left - left) / width) * (this.view[1] - this.view[0]), 0, this.recording.duration);
  }

  /** Says at once what is shown, and draws it with the next frame of the screen, however often it is asked. */
  draw() {
    const height = this._place(this._unit());
    if (this.slider.style.height !== `${height}px`) this.slider.style.height = `${height}px`;
    const { width } = this.slider.getBoundingClientRect();
    const area = this._area(width);
    const [from, to] = this.view;
    Object.assign(this.slider.dataset, { from, to, left: area.left, width: area.width }); // for tools that measure
    const isWhole = to - from >= this.recording.duration - 1e-6;
    const words = isWhole ? `whole video, ${span(this.recording.duration)}` : `${this.timeText(from)} to ${this.timeText(to)}`;
    if (this.range.textContent !== words) this.range.textContent = words;
    this.isStale = true;
    this._drawCursor();
  }

  /** Draws the cursor with the next frame of the screen, and before it the charts if they changed. */
  _drawCursor() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.isStale) {
        const { context, width } = fit(this.chart);
        if (width >= 2) this.paint(context, width);
        this.isStale = false;
      }
      this._paintCursor();
    });
  }

  /** Draws axis and rows onto any surface of a width; returns the area of the charts. */
  paint(context, fullWidth) {
    const unit = this._unit();
    this._place(unit);
    const area = this._area(fullWidth);
    context.font = `${0.75 * unit}px system-ui, sans-serif`;
    this._drawAxis(context, area, unit);
    for (const { row, y, height } of this.places) {
      context.save();
      context.font = `${0.75 * unit}px system-ui, sans-serif`;
      row.draw(context, { ...area, y, height, view: this.view, unit, x: (seconds) => this._x(seconds, fullWidth) });
      context.restore();
      if (!row.name) continue;
      if (area.left >= 2 * unit) this._drawName(context, row.name, { y, height, unit, left: area.left });
      else this._drawNameWithin(context, row.name, { y, height, unit, left: area.left });
    }
    return area;
  }

  /** Height of all rows in pixels. */
  get height() {
    return this._place(this._unit());
  }

  _place(unit) {
    let y = 1.5 * unit;
    this.places = this.rows.map((row) => {
      const place = { row, y, height: row.height(unit) };
      y += place.height + 0.5 * unit;
      return place;
    });
    return y;
  }

  _tools() {
    const button = (text, label, action) => h("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
    const goTo = h("input", {
      type: "text", class: "goto", "aria-label": "Go to time, such as 1:02:03.5", placeholder: "go to time", "aria-keyshortcuts": "g", size: 9,
      onkeydown: (event) => event.key === "Enter" && this._goTo(event.target),
      onchange: (event) => this._goTo(event.target),
    });
    this.goTo = goTo;
    const wall = (this.wallButton = this.wallStart === null ? null : h("button", { type: "button", "aria-pressed": "false", onclick: () => this.showWall(!this.showsWall) }, "Wall clock"));
    return h(
      "div", { class: "tools" },
      this.range, goTo, wall,
      h("span", { class: "group" },
        button("‹", "Move the view back", () => this.pan(-0.5)),
        button("−", "Zoom out", () => this.zoom(1 / ZOOM)),
        button("+", "Zoom in", () => this.zoom(ZOOM)),
        button("›", "Move the view on", () => this.pan(0.5)),
        button("Fit", "Show the whole video", () => this.show(0, this.recording.duration))),
    );
  }

  _goTo(input) {
    if (!input.value.trim()) return;
    const seconds = secondsOf(input.value, this.wallStart, this.recording.duration);
    input.setAttribute("aria-invalid", String(seconds === null));
    if (seconds === null) return;
    input.value = "";
    this.follows = true;
    this.onSeek(seconds);
  }

  _listen() {
    const slider = this.slider;
    slider.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      slider.setPointerCapture(event.pointerId);
      const box = slider.getBoundingClientRect();
      const isOnAxis = event.clientY - box.top < 1.5 * this._unit();
      const isOnCursor = Math.abs(event.clientX - box.left - this._x(this.time, box.width)) <= HANDLE_PX;
      this.mode = isOnAxis || isOnCursor ? "scrub" : "press";
      this.pressed = event.clientX;
      if (isOnAxis) this.onSeek(this.secondsAt(event.clientX));
    });
    slider.addEventListener("pointermove", (event) => {
      this.hover = this.secondsAt(event.clientX);
      if (this.mode === "press" && Math.abs(event.clientX - this.pressed) > DRAG_PX) this.mode = "select";
      if (this.mode === "scrub") this.onSeek(this.hover);
      else if (this.mode === "select") this._selectTo(event.clientX);
      else this._drawCursor();
      this._showCard(event);
    });
    slider.addEventListener("pointerup", (event) => {
      if (this.mode === "press") this.onSeek(this.secondsAt(event.clientX));
      this.mode = null;
    });
    slider.addEventListener("pointercancel", () => (this.mode = null));
    slider.addEventListener("pointerleave", () => {
      this.hover = null;
      this.card.hidden = true;
      this._drawCursor();
    });
    slider.addEventListener("focus", () => this.sayMoment());
    slider.addEventListener("wheel", (event) => this._onWheel(event), { passive: false });
  }

  _selectTo(clientX) {
    const ends = [this.secondsAt(this.pressed), this.secondsAt(clientX)];
    this.select([Math.min(...ends), Math.max(...ends)]);
  }

  /** Ctrl zooms; sideways, or with shift, or after a click into the chart, the wheel moves the view until it ends. */
  _onWheel(event) {
    const [from, to] = this.view;
    const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const delta = isSideways ? event.deltaX : event.deltaY;
    if (event.ctrlKey) this.zoom(event.deltaY < 0 ? 1.25 : 0.8, this.secondsAt(event.clientX));
    else if (isSideways || event.shiftKey || document.activeElement === this.slider) {
      const atEnd = delta < 0 ? from <= 0 : to >= this.recording.duration - 1e-6;
      if (atEnd) return;
      this.pan(delta / 800);
    } else return;
    event.preventDefault();
  }

  _showCard(event) {
    const box = this.slider.getBoundingClientRect();
    const y = event.clientY - box.top;
    const under = this.places.find((place) => y >= place.y && y < place.y + place.height)?.row;
    const isMany = this.rows.filter((row) => row.isAlwaysTold).length > MOST_TOLD;
    const lines = this.rows.filter((row) => row.words && (row === under || (row.isAlwaysTold && !isMany))).map((row) => [row, row.words(this.hover)]);
    fill(this.card,
      h("b", {}, this.timeText(this.hover, 2)),
      lines.filter(([, words]) => words?.length).map(([row, words]) => h("div", {}, row.name && (lines.length > 1 || isMany) ? h("small", {}, row.name) : null,
        words.map(([colour, text]) => {
          const dot = colour ? h("span", { class: "dot" }) : null;
          if (dot) dot.style.background = colour;
          return h("span", { class: "line" }, dot, text);
        }))));
    this.card.hidden = false;
    const wide = this.card.offsetWidth;
    const x = event.clientX - box.left;
    this.card.style.left = `${x + 16 + wide < box.width ? x + 16 : Math.max(0, x - 16 - wide)}px`;
    this.card.style.top = `${clamp(y + 14, 0, Math.max(0, box.height - this.card.offsetHeight))}px`;
  }

  /** The size of text, so that everything grows with it. */
  _unit() {
    return parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  }

  _area(width) {
    const unit = this._unit();
    const left = width > 34 * unit ? 6 * unit : width > 26 * unit ? 4.5 * unit : 4;
    return { left, width: Math.max(1, width - left - 4) };
  }

  _x(seconds, fullWidth) {
    const { left, width } = this._area(fullWidth);
    return left + ((seconds - this.view[0]) / (this.view[1] - this.view[0])) * width;
  }

  _drawAxis(context, { left, width }, unit) {
    const [from, to] = this.view;
    const last = this.places[this.places.length - 1];
    const bottom = last ? last.y + last.height : 1.5 * unit;
    const perTick = ((to - from) * 5 * unit) / width;
    const step = TICKS.find((tick) => tick >= perTick) ?? TICKS[TICKS.length - 1];
    const offset = this.showsWall ? (this.wallStart / 1000) % step : 0;
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
      const text = this.timeText(seconds, step < 1 ? 1 : 0);
      const half = context.measureText(text).width / 2;
      const place = clamp(x - half, left, left + width - 2 * half);
      if (place < free) continue;
      context.fillText(text, place, 0.2 * unit);
      free = place + 2 * half + 0.5 * unit;
    }
  }

  _drawName(context, name, { y, height, unit, left }) {
    context.fillStyle = themeColour("--quiet");
    context.textBaseline = "middle";
    const words = name.split(" ");
    const lines = [];
    for (const word of words) {
      const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
      if (lines.length && context.measureText(longer).width <= left - 2 * unit) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    const most = Math.max(1, Math.floor(height / unit));
    const shown = lines.length > most ? [name] : lines;
    shown.forEach((line, i) => context.fillText(line, 0, y + height / 2 + (i - (shown.length - 1) / 2) * unit));
  }

  /** Where there is no room beside the rows, those that are high enough carry their names. */
  _drawNameWithin(context, name, { y, height, unit, left }) {
    if (height < 3 * unit) return;
    context.font = `${0.65 * unit}px system-ui, sans-serif`;
    context.fillStyle = themeColour("--quiet");
    context.textBaseline = "top";
    context.fillText(name, left + 3, y + 2);
  }

  _paintCursor() {
    const { context, width, height } = fit(this.cursor);
    const unit = this._unit();
    if (this.selection) {
      const [a, b] = this.selection.map((seconds) => clamp(this._x(seconds, width), this._area(width).left, width - 4));
      context.fillStyle = themeColour("--accent");
      context.globalAlpha = 0.16;
      context.fillRect(a, 0, b - a, height);
      context.globalAlpha = 1;
      for (const x of [a, b]) context.fillRect(x - 0.5, 0, 1.5, height);
    }
    if (this.hover !== null && !this.mode) this._drawMark(context, this.hover, { width, height, colour: "--quiet", unit: 0 });
    this._drawMark(context, this.time, { width, height, colour: "--ink", unit });
  }

  /** A line at a moment; the cursor has a handle on the axis. */
  _drawMark(context, seconds, { width, height, colour, unit }) {
    if (seconds < this.view[0] - 1e-6 || seconds > this.view[1] + 1e-6) return;
    const x = Math.round(this._x(seconds, width));
    context.fillStyle = themeColour(colour);
    context.globalAlpha = unit ? 1 : 0.6;
    context.fillRect(x - (unit ? 1 : 0), unit ? 1.1 * unit : 0, unit ? 2 : 1, height);
    context.globalAlpha = 1;
    if (!unit) return;
    context.beginPath();
    context.moveTo(x - 0.4 * unit, 0.95 * unit);
    context.lineTo(x + 0.4 * unit, 0.95 * unit);
    context.lineTo(x, 1.5 * unit);
    context.closePath();
    context.fill();
  }
}

/** Milliseconds of the local clock at which the video begins, as if it were UTC; null where nobody knows. */
function wallClockStart(recorded) {
  if (!recorded?.local) return null;
  const moment = Date.parse(`${recorded.local.slice(0, 19)}Z`);
  return Number.isFinite(moment) ? moment : null;
}

function wallText(start, seconds, digits) {
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
