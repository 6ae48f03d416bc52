// The whole video as a strip: a brush shows what the timeline shows, and moves it.

import { ABSENT, STEPS } from "./columns.js";
import { clamp, h, lastNotAbove, themeColour } from "./dom.js";
import { fit, paintStack } from "./paint.js";

const EDGE_PX = 8;

export class Overview {
  /** `onShow(from, length)` when the brush is moved. For the pointer alone: keys move the timeline itself. */
  constructor(recording, { onShow }) {
    this.recording = recording;
    this.onShow = onShow;
    this.view = [0, recording.duration];
    this.alerts = [];
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.before = h("div", { class: "brush-away" });
    this.after = h("div", { class: "brush-away" });
    this.brush = h("div", { class: "brush" });
    this.element = h("div", { class: "overview-strip" }, this.canvas, this.before, this.after, this.brush);
    this._listen();
    new ResizeObserver(() => this.redraw()).observe(this.element);
  }

  set(alerts) {
    this.alerts = alerts;
    this.redraw();
  }

  show(view) {
    this.view = view;
    this._soon();
  }

  /** Draws the strip anew, which a moved brush does not need. */
  redraw() {
    this.isStale = true;
    this._soon();
  }

  _soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.isStale) this._renew();
      this._placeBrush();
    });
  }

  _renew() {
    const { context, width, height } = fit(this.canvas);
    if (width < 2) return;
    this.isStale = false;
    this.width = width;
    this._drawStrip(context, width, height);
    this._drawAlerts(context, width);
  }

  _drawStrip(context, width, height) {
    const { starts, means, coverage, labels, colours, duration } = this.recording;
    const shares = new Array(labels.length);
    context.fillStyle = themeColour("--chart");
    context.fillRect(0, 0, width, height);
    paintStack(context, {
      x: 0, y: 6, width: Math.ceil(width), height: height - 6, labels, colours,
      columnAt(i) {
        const bin = lastNotAbove(starts, ((i + 0.5) / width) * duration);
        if (bin < 0 || !coverage[bin] || coverage[bin] === ABSENT || means[0][bin] === ABSENT) return null;
        for (let c = 0; c < shares.length; c++) shares[c] = means[c][bin] / STEPS;
        return shares;
      },
    });
  }

  _drawAlerts(context, width) {
    const { duration } = this.recording;
    for (const alert of [...this.alerts].sort((a, b) => (a.tier === "alert") - (b.tier === "alert"))) {
      context.fillStyle = themeColour(alert.tier === "alert" ? "--alert" : "--notice");
      context.fillRect((alert.start_s / duration) * width, 0, Math.max(2, ((alert.end_s - alert.start_s) / duration) * width), 5);
    }
  }

  _placeBrush() {
    const { width } = this;
    if (!width) return;
    const [a, b] = this.view.map((seconds) => (seconds / this.recording.duration) * width);
    this.before.style.transform = `scaleX(${a / width})`;
    this.after.style.transform = `translateX(${b}px) scaleX(${(width - b) / width})`;
    this.brush.style.transform = `translateX(${a}px)`;
    const wide = `${Math.max(3, b - a)}px`;
    if (this.brush.style.width !== wide) this.brush.style.width = wide;
  }

  _listen() {
    const { canvas } = this;
    const at = (event) => {
      const box = this.held ?? canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, width: box.width };
    };
    const part = ({ x, width }) => {
      const [a, b] = this.view.map((seconds) => (seconds / this.recording.duration) * width);
      const isWhole = b - a >= width - 1;
      if (isWhole) return "new";
      if (Math.abs(x - a) <= EDGE_PX) return "left";
      if (Math.abs(x - b) <= EDGE_PX) return "right";
      return x > a && x < b ? "move" : "jump";
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.held = canvas.getBoundingClientRect(); // it does not move while the pointer is down
      const place = at(event);
      const seconds = (place.x / place.width) * this.recording.duration;
      this.drag = { kind: part(place), seconds, view: [...this.view] };
      if (this.drag.kind !== "jump") return;
      const length = this.view[1] - this.view[0];
      this.onShow(seconds - length / 2, length);
      this.drag = { kind: "move", seconds, view: [...this.view] };
    });
    canvas.addEventListener("pointermove", (event) => {
      const place = at(event);
      canvas.style.cursor = { left: "ew-resize", right: "ew-resize", move: "grab" }[this.drag?.kind ?? part(place)] ?? "crosshair";
      if (!this.drag) return;
      const { duration } = this.recording;
      const seconds = clamp((place.x / place.width) * duration, 0, duration);
      const { kind, seconds: first, view: [from, to] } = this.drag;
      if (kind === "move") this.onShow(from + seconds - first, to - from);
      else {
        const ends = { left: [seconds, to], right: [from, seconds], new: [first, seconds] }[kind];
        if (Math.abs(ends[1] - ends[0]) < duration * 0.002) return;
        this.onShow(Math.min(...ends), Math.abs(ends[1] - ends[0]));
      }
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (this.drag = this.held = null));
  }
}
