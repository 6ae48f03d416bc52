// The alerts of a run as a list to work through, and a verdict about each.

import { announce, clock, count, fill, h, span } from "./dom.js";
import { verdictWords } from "./people.js";

export const VERDICTS = [
  ["true", "True", "t"],
  ["false", "False", "f"],
  ["unsure", "Unsure", "u"],
];
const LONGEST_REASON = 1000;

export class AlertList {
  /** `onSelect(alert)` when one is looked at, `save(alert, verdict, reason)` gives the kept review. */
  constructor(alerts, { onSelect, save }) {
    this.all = alerts ?? [];
    this.isKnown = alerts !== null;
    this.onSelect = onSelect;
    this.save = save;
    this.withNotices = !this.all.some((alert) => alert.tier === "alert");
    this.current = null;
    this.items = h("ol", { class: "alerts" });
    this.head = h("div", { class: "panel-head" });
    this.element = h("section", { class: "panel", "aria-label": "Alerts" }, this.head, this.items);
    this.draw();
  }

  get shown() {
    return this.all.filter((alert) => this.withNotices || alert.tier === "alert");
  }

  /** The next (+1) or previous (-1) one; without a current one the next after `seconds`. */
  go(direction, seconds) {
    const { shown } = this;
    if (!shown.length) return announce("No alerts in this run");
    let index = shown.indexOf(this.current);
    if (index < 0) {
      const after = shown.findIndex((alert) => alert.start_s > seconds - 0.05);
      index = direction > 0 ? (after < 0 ? shown.length - 1 : after) : (after < 0 ? shown.length : after) - 1;
    } else index += direction;
    this.select(shown[Math.min(shown.length - 1, Math.max(0, index))]);
  }

  select(alert) {
    this.current = alert;
    this.draw();
    announce(`${sentence(alert)}. ${said(alert)}`);
    this.onSelect(alert);
    this.items.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  /** Gives the current alert a verdict; null takes it back. */
  async judge(verdict, alert = this.current) {
    if (!alert) return announce("Choose an alert first, with j or k");
    const typed = alert === this.current ? this.items.querySelector("input.reason")?.value : undefined;
    const reason = (typed ?? alert.review?.reason ?? "").trim();
    try {
      alert.review = await this.save(alert, verdict, reason);
      alert.problem = null;
      announce(verdict === null ? "Verdict taken back" : `Saved: ${verdict}`);
    } catch (problem) {
      alert.problem = String(problem.message ?? problem);
      announce(`Not saved: ${alert.problem}`);
    }
    this.draw();
    this.onSelect(alert, true);
  }

  /** Takes the verdicts of others that came meanwhile: alerts of this run as the queue has them. */
  take(alerts) {
    const fresh = new Map(alerts.map((alert) => [alert.alert_id, alert]));
    for (const alert of this.all) {
      const { review, reviews } = fresh.get(alert.alert_id) ?? alert;
      Object.assign(alert, { review, reviews });
    }
    this.draw();
  }

  draw() {
    const hadFocus = this.items.contains(document.activeElement) ? document.activeElement.dataset.what : null;
    const main = this.all.filter((alert) => alert.tier === "alert");
    const open = main.filter((alert) => !alert.review).length;
    const notices = this.all.length - main.length;
    fill(this.head,
      h("h2", {}, "Alerts"),
      h("p", { class: "quiet" }, !this.isKnown ? "" : main.length ? `${open} of ${main.length} to review` : "none"),
      notices && main.length ? h("label", { class: "check" },
        h("input", { type: "checkbox", checked: this.withNotices, onchange: (event) => {
          this.withNotices = event.target.checked;
          this.draw();
        } }), count(notices, "notice")) : null);
    if (!this.isKnown) {
      fill(this.items, h("li", { class: "plain" }, "No rules were run on this video yet: ", h("code", {}, "fervid alerts RUN"), " finds moments for review."));
      return;
    }
    if (!this.all.length) {
      fill(this.items, h("li", { class: "plain" }, "The rules found no moment for review. That says nothing about the time in which no face could be seen."));
      return;
    }
    fill(this.items, this.shown.map((alert) => this._item(alert)));
    if (hadFocus) this.items.querySelector(`[data-what="${hadFocus}"]`)?.focus();
  }

  _item(alert) {
    const isCurrent = alert === this.current;
    const title = h("button", {
      type: "button", class: "alert-title", "aria-current": isCurrent ? "true" : null, "data-what": alert.alert_id,
      onclick: () => this.select(alert),
    },
      h("span", { class: `tier ${alert.tier}` }, alert.tier),
      h("span", { class: "what" }, alert.wording),
      h("span", { class: "when" }, `${clock(alert.start_s)} – ${clock(alert.end_s)}`),
      h("span", { class: `said ${alert.review?.verdict ?? "open"}` }, said(alert)));
    return h("li", { class: isCurrent ? "current" : "" }, title, isCurrent ? this._details(alert) : null);
  }

  _details(alert) {
    const tracks = alert.track_ids.length > 1 ? `tracks ${alert.track_ids.join(", ")}` : `track ${alert.track_ids[0] ?? "–"}`;
    const figures = [
      ["lasts", span(alert.end_s - alert.start_s)],
      ["score at its peak", `${alert.peak_score.toFixed(2)} at ${clock(alert.peak_s)} (rule ${alert.rule}: from ${alert.enter.toFixed(2)})`],
      ["face", tracks + (alert.quality === null ? "" : `, quality ${alert.quality.toFixed(2)}`)],
      alert.start_clock ? ["recorded at", alert.start_clock.replace("T", " ")] : null,
      alert.n_held_back ? ["held back", `${alert.n_held_back} more like it`] : null,
    ].filter(Boolean);
    return h("div", { class: "alert-details" },
      h("dl", {}, figures.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      h("div", { class: "verdicts", role: "group", "aria-label": "Verdict" },
        VERDICTS.map(([verdict, word, key]) => h("button", {
          type: "button", class: `verdict ${verdict}`, "aria-pressed": String(alert.review?.verdict === verdict),
          "aria-keyshortcuts": key, "data-what": `verdict-${verdict}`, onclick: () => this.judge(verdict, alert),
        }, word, " ", h("kbd", {}, key))),
        alert.review ? h("button", { type: "button", class: "link", onclick: () => this.judge(null, alert) }, "Take back") : null),
      h("input", {
        class: "reason", type: "text", maxlength: LONGEST_REASON, placeholder: "Why, in a few words", "aria-label": "Reason of the verdict",
        value: alert.review?.reason ?? "", "data-what": "reason",
        onkeydown: (event) => event.key === "Enter" && alert.review && this.judge(alert.review.verdict, alert),
      }),
      alert.problem ? h("p", { class: "problem" }, `Not saved: ${alert.problem}`) : null);
  }
}

export function sentence(alert) {
  return `${alert.wording} at ${clock(alert.start_s)}, needs review`;
}

function said(alert) {
  if (!alert.review) return "needs review";
  return (alert.reviews?.length ? alert.reviews : [alert.review]).map(verdictWords).join(" · ");
}
