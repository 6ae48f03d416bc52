// Why a rule did or did not fire at the cursor, and what another threshold would change: in this run and in the folder.

import { unpack } from "./columns.js";
import { ScoreRow } from "./curves.js";
import { announce, clock, count, fill, h } from "./dom.js";
import { unpackNumbers } from "./series.js";

const WHY_EVERY_MS = 300;
const FIRST_MS = 200; // the page first answers, then explains
const RUNS_AT_ONCE = 10;
const STEP = 0.01;

export class RulePanel {
  /** `view`: the run's view, of which it uses carrier, charts, alerts, player and id. */
  constructor(view) {
    this.view = view;
    this.change = null;
    this.rule = null;
    this.answer = h("div", { class: "answers" });
    this.trial = h("div", { class: "trial" });
    this.head = h("div", { class: "panel-head" }, h("h2", {}, "Why, and what if"));
    this.element = h("section", { class: "panel rules", "aria-label": "Why, and what if" }, this.head, this.trial, this.answer);
    this.timer = setTimeout(() => this._load(), FIRST_MS);
  }

  destroy() {
    this.isGone = true;
    clearTimeout(this.timer);
    this.asking?.abort();
    this.folder?.abort();
  }

  /** The cursor is elsewhere: asks once it rests, now and then while the video plays, and never twice at a time. */
  at(seconds) {
    this.wanted = seconds;
    if (!this.rules || this.isGone || this.isAsking || (this.timer && this.view.player.isPlaying)) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this._ask(), WHY_EVERY_MS);
  }

  async _load() {
    this.timer = null;
    try {
      const content = await this.view.carrier.ask(this.view.id, "rules");
      if (this.isGone) return;
      this.content = content;
      this.rules = await Promise.all(content.rules.map(async (rule) => ({
        ...rule, scores: rule.scores ? await unpackNumbers(rule.scores) : new Float32Array(0), stands: rule.stands ? await unpack(rule.stands) : new Uint8Array(0),
      })));
      this._choose(this.rules.find((rule) => rule.tier === "alert") ?? this.rules[0]);
      this.at(this.view.player.time);
    } catch (problem) {
      fill(this.answer, h("p", { class: "quiet" }, `No rules can be shown: ${problem.message}`));
    }
  }

  _choose(rule) {
    this.rule = rule;
    this.change = null;
    this.score = new ScoreRow(this.view.recording, rule, { scores: rule.scores, stands: rule.stands });
    this.view.charts.setScore(this.score);
    this._drawTrial();
    this._showChange(null);
    this.isBehind = true;
    this.at(this.wanted ?? 0);
  }

  async _ask() {
    this.timer = null;
    if (this.isGone) return;
    const seconds = this.wanted;
    if (!this.view.carrier.isServed) return this._sayScore(seconds);
    this.isAsking = true;
    this.isBehind = false;
    try {
      const found = await this.view.carrier.ask(this.view.id, "why", { at: seconds, ...this._tried() });
      if (!this.isGone) this._drawAnswer(found, seconds);
    } catch (problem) {
      fill(this.answer, h("p", { class: "problem" }, problem.message));
    }
    this.isAsking = false;
    if (this.isBehind || this.wanted !== seconds) this.at(this.wanted);
  }

  /** A page from disk has the score of the rule, but nobody who explains it. */
  _sayScore(seconds) {
    const words = this.score.words(seconds)?.map(([, text]) => text).join(", ") ?? "no frame was analysed there";
    fill(this.answer, h("h3", {}, `At ${clock(seconds)}`), h("p", {}, words));
  }

  /** The threshold that is tried, for the query of a request; nothing at the rule's own. */
  _tried() {
    return this.rule && Math.abs(this.score.enter - this.rule.enter) > 1e-9 ? { rule: this.rule.name, enter: this.score.enter } : {};
  }

  _drawAnswer(found, seconds) {
    if (found.problem) return fill(this.answer, h("p", {}, found.problem));
    this.opened = new Set([...this.answer.querySelectorAll("details[open]")].map((one) => one.dataset.rule));
    fill(this.answer, h("h3", {}, `At ${clock(seconds)}`), found.rules.map((rule) => this._answerOf(rule)));
  }

  _answerOf(rule) {
    const name = (face) => (face.track === null ? "" : `track ${face.track}: `);
    const hasMore = rule.faces.some((face) => face.lines.length > 1 || face.short !== face.lines[0]);
    return h("div", { class: `answer${rule.verdict.startsWith("fired") ? " fired" : ""}` },
      h("p", {}, h("b", {}, rule.name), ` ${rule.verdict}`),
      rule.problem ? h("p", { class: "quiet" }, rule.problem) : null,
      rule.faces.map((face) => h("p", { class: "standing" }, name(face), face.short)),
      hasMore ? h("details", { open: this.opened.has(rule.name), "data-rule": rule.name }, h("summary", {}, "all conditions"),
        rule.faces.map((face) => [h("p", {}, name(face), face.lines[0]), face.lines.slice(1).map((line) => h("p", { class: "standing" }, line))])) : null);
  }

  _drawTrial() {
    const { rule } = this;
    const grid = rule.trials?.enter;
    const [low, high] = grid ? [grid[0], grid.at(-1)] : this.score.limits;
    this.number = h("output", { class: "figure" }, rule.enter.toFixed(2));
    this.slider = h("input", {
      type: "range", min: low.toFixed(4), max: Math.max(high, rule.enter).toFixed(4), step: grid ? (grid[1] - grid[0]).toFixed(4) : STEP, value: rule.enter,
      "aria-label": `Threshold of ${rule.name}`, oninput: () => this._try(Number(this.slider.value)), onchange: () => this._tryFolder(),
    });
    this.outcome = h("div", { class: "outcome" });
    this.inFolder = h("p", { class: "quiet", role: "status" });
    const stored = this.content.is_stored === false ? h("p", { class: "warning" }, `The alerts of this run were found with other rules than ${this.content.source}, which are shown here.`) : null;
    fill(this.trial,
      h("div", { class: "threshold" },
        this.rules.length > 1 ? h("select", { "aria-label": "Rule", onchange: (event) => this._choose(this.rules[event.target.selectedIndex]) },
          this.rules.map((one) => h("option", { selected: one === rule }, one.name))) : h("b", {}, rule.name),
        h("label", {}, "enters at ", this.number), this.slider),
      h("p", { class: "quiet" }, h("code", {}, rule.score), rule.where ? [" where ", h("code", {}, rule.where)] : null, ` for ${rule.for_s} s`,
        typeof rule.strong === "number" ? `, or at ${rule.strong} for ${rule.strong_for_s} s` : null),
      this.outcome, this.inFolder, stored,
      h("div", { class: "group" },
        h("button", { type: "button", onclick: () => this._reset() }, "Back to the rule"),
        this.view.carrier.isServed ? h("button", { type: "button", onclick: () => this._download() }, "Save as rules file") : null));
  }

  /** Shows at once what a threshold would change in this run; the newest wish wins. */
  async _try(enter) {
    this.score.enter = enter;
    this.score.exit = this.rule.enter ? (this.rule.exit / this.rule.enter) * enter : enter;
    this.number.textContent = enter.toFixed(2);
    this.view.charts.timeline.draw();
    this.asking?.abort();
    this.folder?.abort();
    this.inFolder.textContent = "";
    const asking = (this.asking = new AbortController());
    try {
      const found = await this.view.carrier.ask(this.view.id, "whatif", { rule: this.rule.name, enter }, { signal: asking.signal });
      if (this.asking === asking && !this.isGone) this._showChange(found);
    } catch (problem) {
      if (problem.name !== "AbortError") fill(this.outcome, h("p", { class: "problem" }, problem.message));
    }
    this.isBehind = true;
    this.at(this.wanted ?? 0);
  }

  _showChange(found) {
    this.change = found && (found.added.length || found.removed.length) ? found : null;
    this.view.charts.setAlerts(this.view.alerts.shown, this.view.alerts.current, this.change);
    if (!found) return fill(this.outcome);
    const { added, removed, changed, after } = found;
    const words = `${count(after.rule, "moment")} of ${this.rule.name} at ${this.score.enter.toFixed(2)}: ${added.length} more, ${removed.length} fewer, ${changed} changed`;
    announce(words);
    const line = (alert, sign) => h("li", {}, h("button", { type: "button", class: "link", onclick: () => this.view.player.seek(alert.start_s) },
      `${sign} ${clock(alert.start_s)} – ${clock(alert.end_s)}`), ` ${alert.rule}, ${alert.peak_score.toFixed(2)}`);
    fill(this.outcome, h("p", {}, words), h("ul", { class: "changes" }, added.map((alert) => line(alert, "+")), removed.map((alert) => line(alert, "−"))));
  }

  /** What the same threshold changes in all runs, a few at a time. */
  async _tryFolder() {
    const enter = this.score.enter;
    this.folder?.abort();
    const folder = (this.folder = new AbortController());
    try {
      const ids = (await this.view.carrier.list()).runs.filter((card) => !card.is_left_out).map((card) => card.id);
      if (ids.length < 2) return;
      const total = { runs: 0, before: 0, after: 0, added: 0, removed: 0 };
      for (let i = 0; i < ids.length; i += RUNS_AT_ONCE) {
        const found = await this.view.carrier.whatIf(ids.slice(i, i + RUNS_AT_ONCE), { rule: this.rule.name, enter }, { signal: folder.signal });
        if (folder.signal.aborted) return;
        for (const one of Object.values(found)) {
          total.runs += 1;
          total.before += one.before.rule;
          total.after += one.after.rule;
          total.added += one.added.length;
          total.removed += one.removed.length;
        }
        const more = total.runs < ids.length && i + RUNS_AT_ONCE < ids.length ? ` (${i + RUNS_AT_ONCE} of ${ids.length} videos so far)` : "";
        this.inFolder.textContent = `In the folder: ${total.after} instead of ${total.before}, ${total.added} more and ${total.removed} fewer in ${count(total.runs, "video")}${more}`;
      }
    } catch (problem) {
      if (problem.name !== "AbortError") this.inFolder.textContent = problem.message;
    }
  }

  _reset() {
    this.slider.value = this.rule.enter;
    this._choose(this.rule);
  }

  _download() {
    const link = h("a", { href: `/rules.toml?${new URLSearchParams({ run: this.view.id, rule: this.rule.name, enter: this.score.enter })}`, download: "rules.toml" });
    link.click();
    announce("Saved rules.toml. Use it with fervid alerts RUNS --rules rules.toml");
  }
}
