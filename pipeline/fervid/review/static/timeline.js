// The timeline of a run: alerts, expressions, faces and tracks over one axis of time, with a cursor that seeks.

import { ABSENT, STEPS } from "./columns.js";
import { clamp, clock, h, lastNotAbove, span, themeColour } from "./dom.js";
import { fit, hatch, paintStack } from "./paint.js";
import { NO_FACE, USABLE } from "./recording.js";

const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
const LEAST_VIEW_SECONDS = 1;
const ZOOM = 2;
const MOST_LANES = 40;

export class Timeline {
  /** `onSeek(seconds)` is called when a moment is selected. */
  constructor(recording, { onSeek }) {
    this.recording = recording;
    this.onSeek = onSeek;
    this.view = [0, recording.duration];
    this.time = 0;
    this.hover = null;
    this.only = null;
    this.alerts = [];
    this.current = null;
    this.chart = h("canvas", { class: "chart", "aria-hidden": "true" });
    this.cursor = h("canvas", { class: "cursor", "aria-hidden": "true" });
    this.slider = h(
      "div",
      {
        class: "timeline", role: "slider", tabindex: "0", "aria-label": "Moment of the video", "aria-valuemin": "0",
        "aria-valuemax": recording.duration.toFixed(1), "aria-orientation": "horizontal",
      },
      this.chart, this.cursor,
    );
    this.range = h("span", { class: "range" });
    this.element = h("div", { class: "timeline-block" }, this._tools(), this.slider);
    this._listen();
    new ResizeObserver(() => this.draw()).observe(this.slider);
  }

  /** Shows alerts and which of them is looked at. */
  setAlerts(alerts, current) {
    this.alerts = alerts;
    this.current = current;
    this.draw();
  }

  /** Moves the cursor; a view that is zoomed in follows it. */
  setTime(seconds) {
    this.time = seconds;
    const [from, to] = this.view;
    if (!this.isDragging && (seconds < from || seconds > to)) this._show(seconds - 0.1 * (to - from), to - from);
    this.slider.setAttribute("aria-valuenow", seconds.toFixed(1));
    this._drawCursor();
  }

  /** Words for the moment of the cursor; slower than the cursor, so that listeners can follow. */
  sayMoment() {
    this.slider.setAttribute("aria-valuetext", `${clock(this.time)}, ${this.recording.describe(this.time)}`);
  }

  /** Lets one label stand out; null shows all alike. */
  highlight(label) {
    this.only = label;
    this.draw();
  }

  zoom(factor, around = this.time) {
    const [from, to] = this.view;
    const length = clamp((to - from) / factor, LEAST_VIEW_SECONDS, this.recording.duration);
    const share = to > from ? clamp((around - from) / (to - from), 0, 1) : 0;
    this._show(around - share * length, length);
  }

  /** Seconds at a place on the screen. */
  secondsAt(clientX) {
    const box = this.slider.getBoundingClientRect();
    const { left, width } = this._area(box.width);
    return clamp(this.view[0] + ((clientX - box.left - left) / width) * (this.view[1] - this.view[0]), 0, this.recording.duration);
  }

  /** Place on the screen of a moment: the inverse of `secondsAt`. */
  placeOf(seconds) {
    const box = this.slider.getBoundingClientRect();
    return box.left + this._x(seconds, box.width);
  }

  draw() {
    const lanes = Math.min(this.recording.lanes, MOST_LANES);
    const unit = this._unit();
    this.rows = layout(unit, lanes);
    this.slider.style.height = `${this.rows.height}px`;
    const { context, width } = fit(this.chart);
    if (width < 2) return;
    const area = this._area(width);
    context.font = `${0.75 * unit}px system-ui, sans-serif`;
    this._drawAxis(context, area, unit);
    this._drawStack(context, area);
    this._drawFaces(context, area);
    this._drawLanes(context, area, unit);
    this._drawAlerts(context, area, unit);
    this._drawNames(context, area, unit);
    const [from, to] = this.view;
    const isWhole = to - from >= this.recording.duration - 1e-6;
    Object.assign(this.slider.dataset, { from, to, left: area.left, width: area.width }); // for tools that measure
    const shown = isWhole ? `whole video, ${span(this.recording.duration)}` : `${clock(from)} to ${clock(to)}`;
    this.range.textContent = `${shown}; hatched where no face was usable`;
    this._drawCursor();
  }

  _tools() {
    const button = (text, label, action) => h("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
    return h(
      "div", { class: "tools" },
      this.range,
      h("span", { class: "group" },
        button("−", "Zoom out", () => this.zoom(1 / ZOOM)),
        button("+", "Zoom in", () => this.zoom(ZOOM)),
        button("Fit", "Show the whole video", () => this._show(0, this.recording.duration))),
    );
  }

  _listen() {
    const slider = this.slider;
    const seek = (event) => this.onSeek(this.secondsAt(event.clientX));
    slider.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      slider.setPointerCapture(event.pointerId);
      this.isDragging = true;
      seek(event);
    });
    slider.addEventListener("pointermove", (event) => {
      this.hover = this.secondsAt(event.clientX);
      if (this.isDragging) seek(event);
      else this._drawCursor();
    });
    for (const name of ["pointerup", "pointercancel"]) slider.addEventListener(name, () => (this.isDragging = false));
    slider.addEventListener("pointerleave", () => {
      this.hover = null;
      this._drawCursor();
    });
    slider.addEventListener("focus", () => this.sayMoment());
    slider.addEventListener("wheel", (event) => {
      const [from, to] = this.view;
      if (event.ctrlKey) this.zoom(event.deltaY < 0 ? 1.25 : 0.8, this.secondsAt(event.clientX));
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this._show(from + (event.deltaX / 800) * (to - from), to - from);
      else return;
      event.preventDefault();
    }, { passive: false });
  }

  _show(from, length) {
    const start = clamp(from, 0, Math.max(0, this.recording.duration - length));
    this.view = [start, start + length];
    this.draw();
  }

  /** The size of text, so that everything grows with it. */
  _unit() {
    return parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  }

  _area(width) {
    const left = width > 34 * this._unit() ? 6 * this._unit() : 4;
    return { left, width: Math.max(1, width - left - 4) };
  }

  _x(seconds, fullWidth) {
    const { left, width } = this._area(fullWidth);
    return left + ((seconds - this.view[0]) / (this.view[1] - this.view[0])) * width;
  }

  _drawAxis(context, { left, width }, unit) {
    const [from, to] = this.view;
    const { axis, lanes } = this.rows;
    const perTick = ((to - from) * 5 * unit) / width;
    const step = TICKS.find((tick) => tick >= perTick) ?? TICKS[TICKS.length - 1];
    context.fillStyle = themeColour("--quiet");
    context.strokeStyle = themeColour("--grid");
    context.textBaseline = "top";
    context.lineWidth = 1;
    for (let i = Math.ceil(from / step - 1e-9); i * step <= to + 1e-9; i++) {
      const x = left + ((i * step - from) / (to - from)) * width;
      context.beginPath();
      context.moveTo(Math.round(x) + 0.5, this.rows.stack.y);
      context.lineTo(Math.round(x) + 0.5, lanes.y + lanes.height);
      context.stroke();
      const text = clock(i * step, step < 1 ? 1 : 0);
      const half = context.measureText(text).width / 2;
      context.fillText(text, clamp(x - half, left, left + width - 2 * half), axis.y + 0.25 * unit);
    }
  }

  _drawStack(context, { left, width }) {
    const { starts, ends, coverage, means, labels, colours } = this.recording;
    const [from, to] = this.view;
    const { y, height } = this.rows.stack;
    const shares = new Array(labels.length);
    const perPixel = (to - from) / width;
    context.fillStyle = themeColour("--chart");
    context.fillRect(left, y, width, height);
    paintStack(context, {
      x: left, y, width: Math.ceil(width), height, labels, colours, only: this.only,
      columnAt(i) {
        const begin = from + i * perPixel;
        let bin = lastNotAbove(starts, begin);
        if (bin < 0) bin = 0;
        let weight = 0;
        shares.fill(0);
        do {
          const seen = coverage[bin] === ABSENT || means[0][bin] === ABSENT ? 0 : coverage[bin];
          const inside = ends[bin] > begin && starts[bin] < begin + perPixel;
          if (seen && inside) {
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

  /** Where faces were usable, seen but not used, or not there. */
  _drawFaces(context, { left, width }) {
    const { frameTimes, shows, cuts, content } = this.recording;
    const [from, to] = this.view;
    const { y, height } = this.rows.faces;
    const best = new Int8Array(Math.ceil(width)).fill(-1);
    const reach = Math.min(content.hold_s, content.reach_s);
    const first = Math.max(0, lastNotAbove(frameTimes, from - reach));
    for (let i = first; i < frameTimes.length && frameTimes[i] - reach <= to; i++) {
      const begin = Math.max(0, Math.floor(((frameTimes[i] - reach - from) / (to - from)) * width));
      const end = Math.min(best.length, Math.ceil(((frameTimes[i] + reach - from) / (to - from)) * width));
      for (let x = begin; x < end; x++) if (shows[i] > best[x]) best[x] = shows[i];
    }
    const usable = themeColour("--usable");
    const unused = themeColour("--unused");
    for (let x = 0; x < best.length; ) {
      let end = x + 1;
      while (end < best.length && best[end] === best[x]) end += 1;
      if (best[x] === USABLE) {
        context.fillStyle = usable;
        context.fillRect(left + x, y, end - x, height);
      } else if (best[x] > NO_FACE) {
        hatch(context, left + x, y, end - x, height, unused);
      } else {
        context.fillStyle = themeColour("--grid");
        context.fillRect(left + x, y + height / 2 - 0.5, end - x, 1);
      }
      x = end;
    }
    context.fillStyle = themeColour("--ink");
    const perPixel = (to - from) / width;
    if (cuts.length * perPixel < 4 * (to - from)) {
      for (const cut of cuts) if (cut >= from && cut <= to) context.fillRect(left + (cut - from) / perPixel, y - 3, 1, height + 6);
    }
  }

  _drawLanes(context, { left, width }, unit) {
    const { recording } = this;
    const [from, to] = this.view;
    const { lanes, lane } = this.rows;
    const tall = lane - 3;
    const half = recording.reach;
    const unused = themeColour("--unused");
    for (const track of recording.tracks) {
      if (track.start - half > to || track.stop + half < from || track.lane >= MOST_LANES) continue;
      const y = lanes.y + track.lane * lane;
      let drawn = -1;
      for (let i = track.first; i < track.end; i++) {
        const seconds = recording.times[i];
        if (seconds + half < from) continue;
        if (seconds - half > to) break;
        const begin = Math.round(Math.max(drawn, left, left + ((seconds - half - from) / (to - from)) * width));
        const end = Math.round(Math.min(left + width, left + ((seconds + half - from) / (to - from)) * width));
        if (end <= begin && drawn >= 0) continue;
        const label = recording.best[i];
        const isUsable = recording.isUsable(i);
        const share = !isUsable ? 0.25 : recording.reason(i) ? 0.5 : 1;
        context.globalAlpha = this.only !== null && this.only !== label ? 0.2 : 1;
        context.fillStyle = isUsable ? recording.colours[recording.labels[label]] : unused;
        context.fillRect(begin, y + (tall * (1 - share)) / 2, Math.max(1, end - begin), tall * share);
        drawn = end;
      }
      context.globalAlpha = 1;
      this._drawTrackNumber(context, track, y, tall, left, width, unit);
    }
    if (recording.lanes > MOST_LANES) {
      context.fillStyle = themeColour("--quiet");
      context.fillText(`${recording.lanes - MOST_LANES} more lanes are not drawn`, left, lanes.y + lanes.height - 0.9 * unit);
    }
  }

  _drawTrackNumber(context, track, y, tall, left, width, unit) {
    const [from, to] = this.view;
    const begin = Math.max(left, left + ((track.start - from) / (to - from)) * width);
    const end = Math.min(left + width, left + ((track.stop - from) / (to - from)) * width);
    const text = String(track.id);
    context.textBaseline = "middle";
    const wide = context.measureText(text).width + 0.5 * unit;
    if (end - begin < wide + 4) return;
    context.fillStyle = themeColour("--tag");
    context.fillRect(begin + 1, y + 1, wide, tall - 2);
    context.fillStyle = themeColour("--tag-ink");
    context.fillText(text, begin + 1 + 0.25 * unit, y + tall / 2 + 0.5);
  }

  _drawAlerts(context, { left, width }, unit) {
    const [from, to] = this.view;
    const { y, height } = this.rows.alerts;
    for (const alert of [...this.alerts].sort((a, b) => (a.tier === "alert") - (b.tier === "alert"))) {
      if (alert.end_s < from || alert.start_s > to) continue;
      const begin = left + ((Math.max(from, alert.start_s) - from) / (to - from)) * width;
      const end = left + ((Math.min(to, alert.end_s) - from) / (to - from)) * width;
      const isAlert = alert.tier === "alert";
      const isCurrent = alert === this.current;
      const wide = Math.max(4, end - begin);
      context.fillStyle = themeColour(isAlert ? "--alert" : "--notice");
      if (isCurrent) {
        context.globalAlpha = 0.07;
        context.fillRect(begin, y, wide, this.rows.lanes.y + this.rows.lanes.height - y);
        context.globalAlpha = 1;
      }
      const tall = isAlert ? height : height * 0.5;
      context.beginPath();
      context.roundRect(begin, y + height - tall, wide, tall, 3);
      context.fill();
      if (isCurrent) {
        context.strokeStyle = themeColour("--ink");
        context.lineWidth = 2;
        context.stroke();
      }
      const sign = { true: "✓", false: "✕", unsure: "?" }[alert.review?.verdict];
      if (sign && isAlert && wide > 0.9 * unit) {
        context.fillStyle = themeColour("--alert-ink");
        context.textBaseline = "middle";
        context.fillText(sign, begin + wide / 2 - context.measureText(sign).width / 2, y + height / 2 + 0.5);
      }
    }
  }

  _drawNames(context, { left }, unit) {
    if (left < 2 * unit) return;
    const { alerts, stack, faces, lanes, lane } = this.rows;
    context.fillStyle = themeColour("--quiet");
    context.textBaseline = "middle";
    for (const [name, middle] of [
      ["alerts", alerts.y + alerts.height / 2], ["expressions", stack.y + stack.height / 2],
      ["face usable", faces.y + faces.height / 2], [this.recording.lanes > 1 ? "tracks" : "track", lanes.y + lane / 2],
    ]) context.fillText(name, 0, middle);
  }

  _drawCursor() {
    if (!this.rows) return;
    const { context, width } = fit(this.cursor);
    const unit = this._unit();
    context.font = `600 ${0.75 * unit}px system-ui, sans-serif`;
    const bottom = this.rows.lanes.y + this.rows.lanes.height;
    if (this.hover !== null && !this.isDragging) this._drawMark(context, this.hover, width, bottom, unit, "--quiet", false);
    this._drawMark(context, this.time, width, bottom, unit, "--ink", true);
  }

  _drawMark(context, seconds, width, bottom, unit, colour, isCursor) {
    if (seconds < this.view[0] - 1e-6 || seconds > this.view[1] + 1e-6) return;
    const x = this._x(seconds, width);
    context.fillStyle = themeColour(colour);
    context.globalAlpha = isCursor ? 1 : 0.6;
    context.fillRect(Math.round(x) - (isCursor ? 1 : 0), 0, isCursor ? 2 : 1, bottom);
    context.globalAlpha = 1;
    const text = clock(seconds);
    const wide = context.measureText(text).width + 0.7 * unit;
    const at = clamp(x - wide / 2, 0, width - wide);
    const { y } = this.rows.axis;
    context.beginPath();
    context.roundRect(at, y + 0.05 * unit, wide, 1.2 * unit, 4);
    context.fill();
    context.fillStyle = themeColour("--paper");
    context.textBaseline = "middle";
    context.fillText(text, at + 0.35 * unit, y + 0.7 * unit);
  }
}

/** Where the rows lie, in pixels, for a size of text. */
function layout(unit, lanes) {
  const lane = Math.max(10, 1.1 * unit);
  const alerts = { y: 2, height: 1.1 * unit };
  const stack = { y: alerts.y + alerts.height + 0.4 * unit, height: 6.5 * unit };
  const faces = { y: stack.y + stack.height + 0.5 * unit, height: 0.6 * unit };
  const tracks = { y: faces.y + faces.height + 0.6 * unit, height: Math.max(1, lanes) * lane };
  const axis = { y: tracks.y + tracks.height, height: 1.4 * unit };
  return { alerts, stack, faces, lanes: tracks, lane, axis, height: axis.y + axis.height };
}
