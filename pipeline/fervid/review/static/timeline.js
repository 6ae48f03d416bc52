// The axis of time of a run: rows of charts above each other, one cursor, a selection, zoom and pan. Knows no row's content.
//
// A row is `{name, height(unit), draw(context, area), words(seconds)}`: `area` is `{left, width, y, height, view, unit, isMoving, x}`,
// `words` gives lines for the card at the pointer, each `[colour or null, text]`; null for none.

import { drawAxis, drawName, secondsOf, wallClockStart, wallText } from "./axis.js";
import { clamp, clock, h, span } from "./dom.js";
import { Card, Marks } from "./marks.js";
import { fit } from "./paint.js";

const LEAST_VIEW_SECONDS = 1;
const ZOOM = 2;
const DRAG_PX = 4;
const HANDLE_PX = 6;
const JUMP_SECONDS = 0.6;
const MOST_TOLD = 3;
const REST_MS = 150;

// Decision REV-11.
export class Timeline {
  /**
   * `onSeek(seconds, isDragged)` when a moment is chosen, more of which follow while the cursor is dragged;
   * `onSelect([from, to] or null)`, `onView([from, to])` when it is zoomed.
   */
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
    this.marks = new Marks();
    this.card = new Card();
    this.slider = h(
      "div",
      {
        class: "timeline", role: "slider", tabindex: "0", "aria-label": "Moment of the video", "aria-valuemin": "0",
        "aria-valuemax": recording.duration.toFixed(1), "aria-orientation": "horizontal",
      },
      this.chart, this.marks.elements, this.card.element,
    );
    this.range = h("span", { class: "range" });
    this.tools = this._tools();
    this.element = h("div", { class: "timeline-block" }, this.tools, this.slider);
    this._listen();
    new ResizeObserver(() => this._measure() && this.draw()).observe(this.slider);
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
    this._soon();
  }

  /** Words for the moment of the cursor; slower than the cursor, so that listeners can follow. */
  sayMoment() {
    this.slider.setAttribute("aria-valuetext", `${this.timeText(this.time)}, ${this.recording.describe(this.time)}`);
  }

  select(range) {
    const [a, b] = range ?? [0, 0];
    this.selection = b - a > 1e-3 ? [clamp(a, 0, this.recording.duration), clamp(b, 0, this.recording.duration)] : null;
    this._soon();
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
    this.isMoving = true; // the rows may draw it more simply until it rests
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.isMoving = false;
      this.draw();
    }, REST_MS);
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
  secondsAt(clientX, box = this.slider.getBoundingClientRect()) {
    const { left, width } = this._area(box.width);
    return clamp(this.view[0] + ((clientX - box.left - left) / width) * (this.view[1] - this.view[0]), 0, this.recording.duration);
  }

  /** Says at once what is shown, and draws it with the next frame of the screen, however often it is asked. */
  draw() {
    if (!this.width) this._measure();
    this._tellView();
    this.isStale = true;
    this._soon();
  }

  /** Gives the rows their height, and says what is shown for tools that measure. */
  _tellView() {
    const height = `${this._place(this._unit())}px`;
    if (this.slider.style.height !== height) this.slider.style.height = height;
    const area = this._area(this.width);
    const [from, to] = this.view;
    Object.assign(this.slider.dataset, { from, to, left: area.left, width: area.width });
  }

  /** Draws with the next frame of the screen: the marks, and before them the charts if they changed. */
  _soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.isStale) this._paintCharts();
      this._placeMarks();
    });
  }

  /** Size of text and width of the charts; whether either changed. */
  _measure() {
    const unit = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
    const { width } = this.slider.getBoundingClientRect();
    const isOther = unit !== this.unit || width !== this.width;
    [this.unit, this.width] = [unit, width];
    return isOther;
  }

  _paintCharts() {
    this.isStale = false;
    if (this._measure()) this._tellView();
    const [from, to] = this.view;
    const isWhole = to - from >= this.recording.duration - 1e-6;
    const words = isWhole ? `whole video, ${span(this.recording.duration)}` : `${this.timeText(from)} to ${this.timeText(to)}`;
    if (this.range.textContent !== words) this.range.textContent = words;
    const { context, width } = fit(this.chart);
    if (width >= 2) this.paint(context, width);
  }

  /** Draws axis and rows onto any surface of a width; returns the area of the charts. */
  paint(context, fullWidth) {
    const unit = this._unit();
    this._place(unit);
    const area = this._area(fullWidth);
    context.font = `${0.75 * unit}px system-ui, sans-serif`;
    const last = this.places[this.places.length - 1];
    drawAxis(context, area, {
      view: this.view, unit, bottom: last ? last.y + last.height : 1.5 * unit, startSeconds: this.showsWall ? this.wallStart / 1000 : 0,
      textOf: (seconds, digits) => this.timeText(seconds, digits),
    });
    for (const { row, y, height } of this.places) {
      context.save();
      context.font = `${0.75 * unit}px system-ui, sans-serif`;
      row.draw(context, { ...area, y, height, view: this.view, unit, isMoving: this.isMoving && context.canvas === this.chart, x: (seconds) => this._x(seconds, fullWidth) });
      context.restore();
      if (row.name) drawName(context, row.name, { y, height, unit, left: area.left });
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
      const place = { row, y: Math.round(y), height: Math.round(row.height(unit)) }; // whole pixels are clipped faster
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
      const box = (this.held = slider.getBoundingClientRect()); // it does not move while the pointer is down
      const isOnAxis = event.clientY - box.top < 1.5 * this._unit();
      const isOnCursor = Math.abs(event.clientX - box.left - this._x(this.time, box.width)) <= HANDLE_PX;
      this.mode = isOnAxis || isOnCursor ? "scrub" : "press";
      this.pressed = event.clientX;
      if (isOnAxis) this.onSeek(this.secondsAt(event.clientX, box), true);
    });
    slider.addEventListener("pointermove", (event) => {
      const box = this.held ?? slider.getBoundingClientRect();
      this.hover = this.secondsAt(event.clientX, box);
      this.pointer = { x: event.clientX - box.left, y: event.clientY - box.top, width: box.width, height: box.height };
      if (this.mode === "press" && Math.abs(event.clientX - this.pressed) > DRAG_PX) this.mode = "select";
      if (this.mode === "scrub") this.onSeek(this.hover, true);
      else if (this.mode === "select") this._selectTo(event.clientX, box);
      this._soon();
    });
    slider.addEventListener("pointerup", (event) => {
      if (this.mode === "press" || this.mode === "scrub") this.onSeek(this.secondsAt(event.clientX, this.held));
      this.mode = this.held = null;
    });
    slider.addEventListener("pointercancel", () => (this.mode = this.held = null));
    slider.addEventListener("pointerleave", () => {
      this.hover = this.pointer = null;
      this.card.hide();
      this._soon();
    });
    slider.addEventListener("focus", () => this.sayMoment());
    slider.addEventListener("wheel", (event) => this._onWheel(event), { passive: false });
  }

  _selectTo(clientX, box) {
    const ends = [this.secondsAt(this.pressed, box), this.secondsAt(clientX, box)];
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

  _placeMarks() {
    const { width } = this;
    if (width < 2) return;
    const [from, to] = this.view;
    const at = (seconds) => (seconds === null || seconds < from - 1e-6 || seconds > to + 1e-6 ? null : Math.round(this._x(seconds, width)));
    const { left } = this._area(width);
    const selected = this.selection?.map((seconds) => clamp(this._x(seconds, width), left, width - 4)) ?? null;
    this.marks.place({ cursor: at(this.time), pointer: this.mode ? null : at(this.hover ?? null), selected });
    if (this.pointer) this._showCard();
  }

  _showCard() {
    const { y } = this.pointer;
    const under = this.places.find((place) => y >= place.y && y < place.y + place.height)?.row;
    const isMany = this.rows.filter((row) => row.isAlwaysTold).length > MOST_TOLD;
    const told = this.rows.filter((row) => row.words && (row === under || (row.isAlwaysTold && !isMany)));
    const rows = told.map((row) => [row.name && (told.length > 1 || isMany) ? row.name : null, row.words(this.hover)]).filter(([, lines]) => lines?.length);
    this.card.show(this.timeText(this.hover, 2), rows, this.pointer);
  }

  /** The size of text, so that everything grows with it. */
  _unit() {
    return this.unit ?? 16;
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
}
