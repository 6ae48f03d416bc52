// One run: player, timeline, alerts, what is seen now, how far it can be judged.

import { AlertList, VERDICTS } from "./alerts.js";
import { ChartPanel, colourDot } from "./chartpanel.js";
import { announce, clock, count, fill, h, isTyping, lastNotAbove, percent, span } from "./dom.js";
import { PeaksDialog } from "./peaks.js";
import { Player } from "./player.js";
import { openRecording } from "./recording.js";
import { RulePanel } from "./rulepanel.js";
import { TakeAway } from "./takeaway.js";

const ARROW_SECONDS = 1;
const LONG_ARROW_SECONDS = 10;
const NOW_EVERY_MS = 100;
const SAY_EVERY_MS = 1000;
const FEW_FACES = 3;
const LINK_EVERY_MS = 500;
const PORTRAIT = 0.8;
const MOST_TRACKS = 200;
const FIT = { fit: "fit for alerts", limited: "fit in part", not_fit: "not fit for alerts" };

export class RunView {
  static async open(content, carrier, id, { begin = 0, backLink = null } = {}) {
    const recording = await openRecording(content);
    return new RunView(recording, carrier, id, begin, backLink);
  }

  constructor(recording, carrier, id, begin, backLink) {
    this.recording = recording;
    this.carrier = carrier;
    this.id = id;
    const { content } = recording;
    this.player = new Player(recording, content.media ?? null, { onTime: (seconds) => this._onTime(seconds) });
    this.charts = new ChartPanel(recording, {
      fetchScores: carrier.isServed ? (kind) => carrier.ask(id, "scores", { kind }) : null,
      fetchStretch: carrier.isServed ? (from, to, kind) => carrier.ask(id, "faces", { from, to, kind }) : null,
      onSeek: (seconds, isDragged) => this.player.seek(seconds, isDragged),
      onSelect: (range) => this._onSelect(range),
    });
    this.timeline = this.charts.timeline;
    this.alerts = new AlertList(content.alerts, {
      onSelect: (alert, stays) => this._onAlert(alert, stays),
      save: (alert, verdict, reason) => carrier.saveVerdict(id, alert, verdict, reason),
    });
    this.peaks = new PeaksDialog(recording, { onSeek: (seconds) => this.player.seek(seconds) });
    this.takeAway = new TakeAway(this);
    this.rules = carrier.isServed || content.rules ? new RulePanel(this) : null;
    this.now = h("section", { class: "panel now", "aria-label": "Faces now" });
    this.element = h("div", { class: "run" }, this._head(backLink), this._body());
    // After a click with the pointer the space bar plays again; with the keyboard a button keeps the focus.
    this.element.addEventListener("click", (event) => event.detail > 0 && event.target.closest(".controls button, .charts button")?.blur());
    this.charts.setAlerts(this.alerts.shown, null);
    this.player.seek(begin);
    this.timeline.sayMoment();
  }

  /** Handles a key of the page; true when it was one. */
  onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return false;
    const long = event.shiftKey ? LONG_ARROW_SECONDS : ARROW_SECONDS;
    const isOnButton = event.target instanceof HTMLElement && event.target.matches("button, a, summary");
    const verdict = VERDICTS.find(([, , key]) => key === event.key);
    const actions = {
      j: () => this.alerts.go(1, this.player.time),
      k: () => this.alerts.go(-1, this.player.time),
      b: () => this.player.toggleBoxes(),
      ArrowLeft: () => this.player.step(-long),
      ArrowRight: () => this.player.step(long),
      ",": () => this._stepSample(-1),
      ".": () => this._stepSample(1),
      Home: () => this.player.seek(0),
      End: () => this.player.seek(this.recording.duration),
      "+": () => this.timeline.zoom(2),
      "-": () => this.timeline.zoom(0.5),
      PageUp: () => this.timeline.pan(-0.5),
      PageDown: () => this.timeline.pan(0.5),
      "[": () => this._selectFrom(0),
      "]": () => this._selectFrom(1),
      l: () => this._toggleLoop(),
      Escape: () => this.timeline.select(null),
      p: () => this.peaks.open(),
      g: () => this.timeline.goTo.focus(),
    };
    if (event.key === " " && !isOnButton) this.player.toggle();
    else if (verdict) this.alerts.judge(verdict[0]);
    else if (event.key in actions) actions[event.key]();
    else return false;
    if (document.activeElement === this.timeline.slider) this.timeline.sayMoment();
    return true;
  }

  /** Draws again what the theme or the size of text changed. */
  redraw() {
    this.charts.redraw();
    this.player.drawOverlay();
    this._drawNow();
  }

  destroy() {
    this.rules?.destroy();
    this.takeAway.destroy();
    this.player.destroy();
  }

  /** The address of the moment that is shown, within the page. */
  get moment() {
    return `#/run/${this.id}@${this.player.time.toFixed(1)}`;
  }

  /** The address of this video beside others. */
  get compareAddress() {
    return `#/compare?runs=${this.id}&at=${this.player.time.toFixed(1)}`;
  }

  _onTime(seconds) {
    this.charts?.setTime(seconds);
    // Words follow the cursor some times a second; the last moment is always said.
    this.nowTimer ??= setTimeout(() => {
      this.nowTimer = null;
      this._drawNow();
      this.charts?.drawValues();
    }, this.charts ? NOW_EVERY_MS : 0);
    const now = performance.now();
    if (!this.lastSaid || now - this.lastSaid >= SAY_EVERY_MS) {
      this.lastSaid = now;
      this.timeline?.sayMoment();
    }
    this.rules?.at(seconds);
    clearTimeout(this.linkTimer);
    if (this.rules !== undefined) this.linkTimer = setTimeout(() => this.onMoment?.(this.moment), LINK_EVERY_MS);
  }

  /** To the next (+1) or previous (-1) analysed frame, however uneven they lie. */
  _stepSample(direction) {
    const { frameTimes } = this.recording;
    const at = lastNotAbove(frameTimes, this.player.time + (direction > 0 ? 1e-3 : -1e-3)) + (direction > 0 ? 1 : 0);
    if (frameTimes[at] !== undefined) this.player.seek(frameTimes[at]);
  }

  _onSelect(range) {
    if (this.player.loop) this.player.loop = range;
    this._updateLoop();
    this.takeAway.onSelect(range);
  }

  /** Begin (0) or end (1) of the selection to the cursor. */
  _selectFrom(end) {
    const { time } = this.player;
    const [from, to] = this.timeline.selection ?? (end ? [0, time] : [time, this.recording.duration]);
    this.timeline.select(end ? [Math.min(from, time), time] : [time, Math.max(to, time)]);
    if (this.timeline.selection) announce(`Selected ${this.timeline.selection.map((seconds) => clock(seconds)).join(" to ")}`);
  }

  _toggleLoop() {
    const range = this.timeline.selection;
    if (!range) return announce("Select a stretch first: drag on the chart, or [ and ]");
    this.player.loop = this.player.loop ? null : range;
    if (this.player.loop && (this.player.time < range[0] || this.player.time >= range[1])) this.player.seek(range[0]);
    announce(this.player.loop ? "The selection plays again and again" : "The loop ended");
    this._updateLoop();
  }

  _updateLoop() {
    this.loopButton?.setAttribute("aria-pressed", String(this.player.loop !== null));
  }

  _onAlert(alert, stays = false) {
    this.player.highlight = alert.track_ids;
    this.charts.setAlerts(this.alerts.shown, alert, this.rules?.change ?? null);
    this.takeAway.draw();
    if (!stays) this.player.seek(alert.start_s);
    else this.player.drawOverlay();
    this.onVerdict?.();
  }

  _head(backLink) {
    const { content } = this.recording;
    const verdict = content.fitness.best;
    const isByMotion = content.fitness.verdict === "not_fit" && verdict !== "not_fit";
    return h("header", { class: "run-head" },
      backLink,
      h("h1", { tabindex: "-1" }, content.name),
      h("p", { class: "facts" },
        h("span", {}, span(content.duration_s)),
        h("span", {}, `a usable face in ${percent(content.fitness.usable_share)} of the time`),
        h("span", { class: `badge ${verdict}`, title: content.fitness.text }, (FIT[verdict] ?? verdict) + (isByMotion ? ", motion only" : "")),
        content.fitness.motion ? h("span", {}, content.fitness.short) : null,
        content.is_superseded ? h("span", { class: "badge limited" }, "another video is at this path since") : null,
        content.status === "complete" ? null : h("span", { class: "badge limited" }, content.status)),
      h("span", { class: "group head-tools" },
        h("button", { type: "button", "aria-keyshortcuts": "p", onclick: () => this.peaks.open() }, "Peaks"),
        backLink ? h("button", { type: "button", "aria-keyshortcuts": "c", onclick: () => (location.hash = this.compareAddress) }, "Side by side") : null,
        h("button", { type: "button", onclick: () => this._copyLink() }, "Copy link")));
  }

  _body() {
    this.loopButton = h("button", { type: "button", "aria-pressed": "false", "aria-keyshortcuts": "l", onclick: () => this._toggleLoop() }, "Loop");
    this.charts.addAction(this.loopButton);
    this.charts.addAction(h("button", { type: "button", onclick: () => {
      const [from, to] = this.timeline.selection;
      this.timeline.show(from, to - from);
    } }, "Zoom"));
    this.charts.addAction(h("button", { type: "button", onclick: () => this.takeAway.element.scrollIntoView({ block: "nearest" }) || this.takeAway.focus() }, "Export"));
    this.charts.addAction(h("button", { type: "button", onclick: () => this.timeline.select(null) }, "Clear"));
    this.charts.onSubjects = () => this._drawTracks();
    const { width_px: width, height_px: height, pixel_aspect: aspect = 1 } = this.recording.content;
    return h("div", { class: `run-body${width * aspect < PORTRAIT * height ? " portrait" : ""}` },
      h("div", { class: "left" }, this.player.element, this.charts.element),
      h("div", { class: "right" }, this.alerts.element, this.now, this.rules?.element ?? null),
      h("div", { class: "wide columns" }, this.takeAway.element, this._fitness(), this._tracks(), this._about()));
  }

  async _copyLink() {
    const address = `${location.origin === "null" ? location.href.split("#")[0] : location.origin + location.pathname}${this.moment}`;
    try {
      await navigator.clipboard.writeText(address);
      announce("Link to this moment copied");
    } catch {
      prompt("Link to this moment", address);
    }
  }

  _drawNow() {
    if (!this.now) return;
    const { recording } = this;
    const found = recording.facesAt(this.player.shown);
    const heading = h("div", { class: "panel-head" }, h("h2", {}, "Now"), h("p", { class: "quiet" }, found.length ? count(found.length, "face") : "no face"));
    const isFew = found.length <= FEW_FACES;
    fill(this.now, heading, found.map(({ track, face }) => {
      const reason = recording.reason(face);
      const best = recording.best[face];
      const words = h("p", {}, isFew ? null : colourDot(recording.isUsable(face) ? recording.colours[recording.labels[best]] : "#888"),
        h("b", {}, recording.isUsable(face) ? `looks ${recording.labels[best]} ${recording.confidence(face).toFixed(2)}` : "not used"),
        ` · track ${track.id}`, reason ? `, ${reason.words}` : "");
      return h("div", { class: `face${recording.isUsable(face) ? "" : " unused"}` }, words, isFew ? h("div", { class: "bars", "aria-hidden": "true" }, recording.labels.map((label, c) => {
          const bar = h("span", { class: "bar" }, h("span", { class: "bar-fill" }));
          bar.firstChild.style.width = `${100 * recording.score(c, face)}%`;
          bar.firstChild.style.background = recording.colours[label];
          return h("span", { class: `bar-row${c === best ? " best" : ""}` }, h("span", {}, label), bar);
        })) : null);
    }));
  }

  _fitness() {
    const { fitness, reasons } = this.recording.content;
    const rows = Object.entries(fitness.abstained_by_reason).sort((a, b) => b[1] - a[1]);
    return h("section", { class: "panel", "aria-label": "How far this video can be judged" },
      h("h2", {}, "How far it can be judged"),
      h("p", {}, `${fitness.text[0].toUpperCase()}${fitness.text.slice(1)}.`),
      meter("a face in view", fitness.seen_share),
      meter("a usable face", fitness.usable_share),
      fitness.motion ? meter("motion known", fitness.motion.known_share) : null,
      fitness.motion ? meter("a moving camera", fitness.motion.moving_camera_share) : null,
      rows.length ? h("h3", {}, "Face time in which the label is not used") : null,
      rows.map(([reason, share]) => meter(reasons[reason] ?? reason, share)),
      fitness.static_boxes.map((box) => h("p", { class: "quiet" },
        `A face at ${Math.round(box.x)}, ${Math.round(box.y)} never moved from ${clock(box.start_s)} to ${clock(box.end_s)}, so it was treated as a poster or photo.`)));
  }

  _tracks() {
    const { tracks } = this.recording;
    this.trackRows = h("tbody");
    this._drawTracks();
    return h("section", { class: "panel", "aria-label": "Tracks" },
      h("h2", {}, "Tracks"),
      h("p", { class: "quiet" }, "A track is one face while it stays in view; it says nothing about who it is."),
      tracks.length ? h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table of tracks" }, h("table", {},
        h("thead", {}, h("tr", {}, ["track", "from", "to", "mostly looks", "curves"].map((text) => h("th", { scope: "col" }, text)))),
        this.trackRows)) : h("p", {}, "No face was followed."),
      tracks.length > MOST_TRACKS ? h("p", { class: "quiet" }, `${tracks.length - MOST_TRACKS} more are in tracks.parquet.`) : null);
  }

  _drawTracks() {
    const { tracks, labels, colours } = this.recording;
    const hadFocus = this.trackRows.contains(document.activeElement) ? document.activeElement.dataset.track : null;
    fill(this.trackRows, tracks.slice(0, MOST_TRACKS).map((track) => h("tr", {},
      h("td", {}, h("button", { type: "button", class: "link", "aria-label": `Go to track ${track.id}`, onclick: () => this.player.seek(track.start) }, String(track.id))),
      h("td", {}, clock(track.start)), h("td", {}, clock(track.stop)),
      h("td", {}, colourDot(colours[labels[track.label]]), labels[track.label]),
      h("td", {}, h("input", {
        type: "checkbox", "aria-label": `Curves of track ${track.id}`, checked: this.charts.isShown(track.id), "data-track": String(track.id),
        onchange: () => this.charts.toggleTrack(track.id),
      })))));
    if (hadFocus) this.trackRows.querySelector(`[data-track="${hadFocus}"]`)?.focus();
  }

  _about() {
    const { content } = this.recording;
    const rows = [
      ["run", content.folder], ["video", `${content.width_px} × ${content.height_px}, ${content.codec}`],
      ["analysed", `${content.analysed_fps.toFixed(1)} frames per second`], ["model", content.model], ["status", content.status],
    ];
    return h("section", { class: "panel", "aria-label": "About this run" },
      h("h2", {}, "About this run"),
      h("dl", {}, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      content.warnings.map((text) => h("p", { class: "warning" }, text)),
      content.faces_of_every > 1 ? h("p", { class: "warning" }, `Boxes of every ${content.faces_of_every}th analysed frame are on this page; the tables hold all.`) : null,
      h("p", { class: "quiet" }, "A label says how a face looks, not what a person feels; about one in three is wrong."));
  }

  focus() {
    this.element.querySelector("h1").focus({ preventScroll: true });
    announce(`${this.recording.content.name}, ${count(this.alerts.all.length, "alert or notice")}`);
  }
}

function meter(name, share) {
  const bar = h("span", { class: "bar" }, h("span", { class: "bar-fill" }));
  bar.firstChild.style.width = percentWidth(share);
  return h("p", { class: "meter" }, h("span", {}, name), bar, h("span", { class: "figure" }, percent(share)));
}

function percentWidth(share) {
  return `${Math.round(1000 * Math.min(1, Math.max(0, share ?? 0))) / 10}%`;
}
