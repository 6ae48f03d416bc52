// The alert of now beside the queue: the video around it, with boxes, its figures, and the verdicts about it.

import { VERDICTS } from "./alerts.js";
import { clock, fill, h, span } from "./dom.js";
import { givenAt, verdictWords } from "./people.js";
import { Player } from "./player.js";
import { openRecording } from "./recording.js";

const LOOK_AFTER_MS = 120;
const RUNS_KEPT = 6;
const AROUND_SECONDS = 1;
const REASON_LENGTH = 1000;

export class Glance {
  /** `judge(verdict)`, `revise(reason)` and `addressOf(lead)` come from the queue. */
  constructor(carrier, { judge, revise, addressOf }) {
    Object.assign(this, { carrier, judge, revise, addressOf });
    this.runs = new Map();
    this.player = null;
    this.screen = h("div", { class: "glance-screen" });
    this.about = h("div", { class: "panel" });
    this.element = h("section", { class: "glance", "aria-label": "Alert of now" }, this.screen, this.about);
  }

  /** Shows the lead of a row; `nPicked` are selected beside it. */
  show(row, nPicked = 0) {
    this.row = row;
    this.element.hidden = !row;
    if (!row) return;
    this._drawAbout(nPicked);
    const { lead } = row;
    if (this.lead === lead) return;
    this.lead = lead;
    clearTimeout(this.timer);
    if (this.player && this.run === lead.run) this._place();
    else this.timer = setTimeout(() => this._open(lead), LOOK_AFTER_MS);
  }

  /** What was typed as the reason for an alert, else what it has. */
  reasonOf(alert) {
    const typed = this.row?.alerts.includes(alert) ? this.about.querySelector("input.reason")?.value : undefined;
    return (typed ?? alert.review?.reason ?? "").trim();
  }

  toggle() {
    this.player?.toggle();
  }

  onKey(event) {
    const steps = { ",": -0.2, ".": 0.2, ArrowLeft: -1, ArrowRight: 1 };
    if (!this.player) return false;
    if (event.key === "b") this.player.toggleBoxes();
    else if (event.key in steps && !event.shiftKey) this.player.step(steps[event.key]);
    else return false;
    return true;
  }

  redraw() {
    this.player?.drawOverlay();
  }

  destroy() {
    clearTimeout(this.timer);
    this.lead = null;
    this.player?.destroy();
    this.player = null;
  }

  async _open(lead) {
    this.screen.setAttribute("aria-busy", "true");
    try {
      const recording = await this._recording(lead.run);
      if (this.lead !== lead) return;
      this.player?.destroy();
      this.run = lead.run;
      this.player = new Player(recording, recording.content.media ?? null, { onTime: (seconds) => this._onTime(seconds) });
      fill(this.screen, this.player.element);
      this._place();
    } catch (problem) {
      if (this.lead !== lead) return;
      this.player?.destroy();
      this.player = null;
      fill(this.screen, h("p", { class: "problem" }, `This run cannot be shown: ${problem.message ?? problem}`));
    } finally {
      if (this.lead === lead) this.screen.removeAttribute("aria-busy");
    }
  }

  /** A run, unpacked; the last few are kept. */
  async _recording(run) {
    const known = this.runs.get(run) ?? this.carrier.run(run).then(openRecording);
    this.runs.delete(run);
    this.runs.set(run, known);
    if (this.runs.size > RUNS_KEPT) this.runs.delete(this.runs.keys().next().value);
    known.catch(() => this.runs.delete(run));
    return known;
  }

  _place() {
    const { lead } = this;
    this.player.pause();
    this.player.highlight = lead.track_ids;
    this.player.seek(lead.peak_s);
  }

  /** While it plays, the alert is played over and over. */
  _onTime(seconds) {
    if (this.player?.isPlaying && this.lead && seconds > this.lead.end_s + AROUND_SECONDS && seconds < this.lead.end_s + 2 * AROUND_SECONDS)
      this.player.seek(Math.max(0, this.lead.start_s - AROUND_SECONDS));
  }

  _drawAbout(nPicked) {
    const hadFocus = this.about.contains(document.activeElement) ? document.activeElement.dataset.what : null;
    const typed = hadFocus === "reason" ? document.activeElement.value : null;
    const { lead, alerts } = this.row;
    const figures = [
      ["rule", `${lead.rule}, from ${lead.enter.toFixed(2)}`],
      ["score at its peak", `${lead.peak_score.toFixed(2)} at ${clock(lead.peak_s)}`],
      ["lasts", span(lead.end_s - lead.start_s)],
      ["face", `${lead.track_ids.length > 1 ? `tracks ${lead.track_ids.join(", ")}` : `track ${lead.track_ids[0] ?? "–"}`}${lead.quality === null ? "" : `, quality ${lead.quality.toFixed(2)}`}`],
      lead.start_clock ? ["recorded at", lead.start_clock.replace("T", " ")] : null,
      alerts.length > 1 ? ["repeats", alerts.map((alert) => clock(alert.start_s)).join(", ")] : null,
    ].filter(Boolean);
    const reviews = lead.reviews ?? (lead.review ? [lead.review] : []);
    const what = nPicked ? `${nPicked} selected` : alerts.length > 1 ? `all ${alerts.length}` : null;
    fill(this.about,
      h("h2", {}, `${lead.wording} at ${clock(lead.start_s)}, needs review`),
      h("p", {}, h("a", { href: this.addressOf(lead) }, lead.video), lead.camera && lead.camera !== "." ? ` · ${lead.camera}` : ""),
      h("div", { class: "verdicts", role: "group", "aria-label": "Verdict" },
        VERDICTS.map(([verdict, word, key]) => h("button", {
          type: "button", class: `verdict ${verdict}`, "aria-pressed": String(lead.review?.verdict === verdict), "aria-keyshortcuts": key,
          "data-what": `verdict-${verdict}`, onclick: () => this.judge(verdict),
        }, what ? `${word}: ${what} ` : `${word} `, h("kbd", {}, key))),
        lead.review ? h("button", { type: "button", class: "link", onclick: () => this.judge(null) }, "Take back") : null),
      reviews.map((review) => h("p", { class: "opinion" }, h("b", {}, verdictWords(review)), ` ${givenAt(review)}`, review.reason ? `: ${review.reason}` : "")),
      h("input", {
        class: "reason", type: "text", maxlength: REASON_LENGTH, placeholder: "Why, in a few words", "aria-label": "Reason of the verdict", "data-what": "reason",
        value: typed ?? lead.review?.reason ?? "", onkeydown: (event) => event.key === "Enter" && lead.review && this.revise(event.target.value.trim()),
      }),
      lead.problem ? h("p", { class: "problem" }, lead.problem) : null,
      h("dl", {}, figures.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
    if (hadFocus) this.about.querySelector(`[data-what="${hadFocus}"]`)?.focus({ preventScroll: true });
  }
}
