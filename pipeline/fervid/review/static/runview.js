// One run: player, timeline, alerts, what is seen now, how far it can be judged.

import { AlertList, VERDICTS } from "./alerts.js";
import { announce, clock, count, fill, h, isTyping, percent, span } from "./dom.js";
import { Player } from "./player.js";
import { openRecording } from "./recording.js";
import { Timeline } from "./timeline.js";

const ARROW_SECONDS = 1;
const LONG_ARROW_SECONDS = 10;
const NOW_EVERY_MS = 100;
const SAY_EVERY_MS = 1000;
const MOST_FACES_NOW = 3;
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
    this.timeline = new Timeline(recording, { onSeek: (seconds) => this.player.seek(seconds) });
    this.alerts = new AlertList(content.alerts, {
      onSelect: (alert, stays) => this._onAlert(alert, stays),
      save: (alert, verdict, reason) => carrier.saveVerdict(id, alert.alert_id, verdict, reason),
    });
    this.now = h("section", { class: "panel now", "aria-label": "Faces now" });
    this.element = h("div", { class: "run" }, this._head(backLink), this._body());
    this.timeline.setAlerts(this.alerts.shown, null);
    this.player.seek(begin);
    this.timeline.sayMoment();
  }

  /** Handles a key of the page; true when it was one. */
  onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return false;
    const long = event.shiftKey ? LONG_ARROW_SECONDS : ARROW_SECONDS;
    const isOnButton = event.target instanceof HTMLElement && event.target.matches("button, a, summary");
    const sample = 1 / (this.recording.content.analysed_fps || 5);
    const verdict = VERDICTS.find(([, , key]) => key === event.key);
    const actions = {
      j: () => this.alerts.go(1, this.player.time),
      k: () => this.alerts.go(-1, this.player.time),
      b: () => this.player.toggleBoxes(),
      ArrowLeft: () => this.player.step(-long),
      ArrowRight: () => this.player.step(long),
      ",": () => this.player.step(-sample),
      ".": () => this.player.step(sample),
      Home: () => this.player.seek(0),
      End: () => this.player.seek(this.recording.duration),
      "+": () => this.timeline.zoom(2),
      "-": () => this.timeline.zoom(0.5),
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
    this.timeline.draw();
    this.player.drawOverlay();
    this._drawNow();
  }

  destroy() {
    this.player.destroy();
  }

  _onTime(seconds) {
    this.timeline?.setTime(seconds);
    const now = performance.now();
    if (!this.lastNow || now - this.lastNow >= NOW_EVERY_MS || !this.player?.isPlaying) {
      this.lastNow = now;
      this._drawNow();
    }
    if (!this.lastSaid || now - this.lastSaid >= SAY_EVERY_MS) {
      this.lastSaid = now;
      this.timeline?.sayMoment();
    }
  }

  _onAlert(alert, stays = false) {
    this.player.highlight = alert.track_ids;
    this.timeline.setAlerts(this.alerts.shown, alert);
    if (!stays) this.player.seek(alert.start_s);
    else this.player.drawOverlay();
    this.onVerdict?.();
  }

  _head(backLink) {
    const { content } = this.recording;
    const verdict = content.fitness.verdict;
    return h("header", { class: "run-head" },
      backLink,
      h("h1", { tabindex: "-1" }, content.name),
      h("p", { class: "facts" },
        h("span", {}, span(content.duration_s)),
        h("span", {}, `a usable face in ${percent(content.fitness.usable_share)} of the time`),
        h("span", { class: `badge ${verdict}`, title: content.fitness.text }, FIT[verdict] ?? verdict),
        content.status === "complete" ? null : h("span", { class: "badge limited" }, content.status)));
  }

  _body() {
    return h("div", { class: "run-body" },
      h("div", { class: "left" }, this.player.element,
        h("section", { class: "panel", "aria-label": "Timeline" }, this._legend(), this.timeline.element)),
      h("div", { class: "right" }, this.alerts.element, this.now),
      h("div", { class: "wide columns" }, this._fitness(), this._tracks(), this._about()));
  }

  _legend() {
    const { labels, colours } = this.recording;
    const buttons = labels.map((label, i) => h("button", {
      type: "button", class: "swatch", "aria-pressed": "false",
      onclick: (event) => {
        const isOn = event.currentTarget.getAttribute("aria-pressed") === "true";
        for (const button of buttons) button.setAttribute("aria-pressed", "false");
        event.currentTarget.setAttribute("aria-pressed", String(!isOn));
        this.timeline.highlight(isOn ? null : i);
      },
    }, swatch(colours[label]), label));
    return h("div", { class: "legend" }, h("h2", {}, "How faces look over time"), h("div", { role: "group", "aria-label": "Show one expression" }, buttons));
  }

  _drawNow() {
    if (!this.now) return;
    const { recording } = this;
    const found = recording.facesAt(this.player.shown);
    const heading = h("div", { class: "panel-head" }, h("h2", {}, "Now"), h("p", { class: "quiet" }, found.length ? count(found.length, "face") : "no face"));
    fill(this.now, heading, found.slice(0, MOST_FACES_NOW).map(({ track, face }) => {
      const reason = recording.reason(face);
      const best = recording.best[face];
      return h("div", { class: `face${recording.isUsable(face) ? "" : " unused"}` },
        h("p", {}, h("b", {}, recording.isUsable(face) ? `looks ${recording.labels[best]} ${recording.confidence(face).toFixed(2)}` : "not used"),
          ` · track ${track.id}`, reason ? `, ${reason.words}` : ""),
        h("div", { class: "bars", "aria-hidden": "true" }, recording.labels.map((label, c) => {
          const bar = h("span", { class: "bar" }, h("span", { class: "bar-fill" }));
          bar.firstChild.style.width = `${100 * recording.score(c, face)}%`;
          bar.firstChild.style.background = recording.colours[label];
          return h("span", { class: `bar-row${c === best ? " best" : ""}` }, h("span", {}, label), bar);
        })));
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
      rows.length ? h("h3", {}, "Face time in which the label is not used") : null,
      rows.map(([reason, share]) => meter(reasons[reason] ?? reason, share)),
      fitness.static_boxes.map((box) => h("p", { class: "quiet" },
        `A face at ${Math.round(box.x)}, ${Math.round(box.y)} never moved from ${clock(box.start_s)} to ${clock(box.end_s)}, so it was treated as a poster or photo.`)));
  }

  _tracks() {
    const { tracks, labels, colours } = this.recording;
    const shown = tracks.slice(0, 200);
    return h("section", { class: "panel", "aria-label": "Tracks" },
      h("h2", {}, "Tracks"),
      h("p", { class: "quiet" }, "A track is one face while it stays in view; it says nothing about who it is."),
      tracks.length ? h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table of tracks" }, h("table", {},
        h("thead", {}, h("tr", {}, ["track", "from", "to", "mostly looks"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, shown.map((track) => h("tr", {},
          h("td", {}, h("button", { type: "button", class: "link", "aria-label": `Go to track ${track.id}`, onclick: () => this.player.seek(track.start) }, String(track.id))),
          h("td", {}, clock(track.start)), h("td", {}, clock(track.stop)),
          h("td", {}, swatch(colours[labels[track.label]]), labels[track.label])))))) : h("p", {}, "No face was followed."),
      tracks.length > shown.length ? h("p", { class: "quiet" }, `${tracks.length - shown.length} more are in tracks.parquet.`) : null);
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

function swatch(colour) {
  const element = h("span", { class: "dot", "aria-hidden": "true" });
  element.style.background = colour;
  return element;
}

function meter(name, share) {
  const bar = h("span", { class: "bar" }, h("span", { class: "bar-fill" }));
  bar.firstChild.style.width = percentWidth(share);
  return h("p", { class: "meter" }, h("span", {}, name), bar, h("span", { class: "figure" }, percent(share)));
}

function percentWidth(share) {
  return `${Math.round(1000 * Math.min(1, Math.max(0, share ?? 0))) / 10}%`;
}
