// The alerts of all videos as one queue: filter, look, judge with one key, go on to the next; undo.

import { hashOf } from "./address.js";
import { VERDICTS } from "./alerts.js";
import { announce, clock, count, fill, h } from "./dom.js";
import { Glance } from "./glance.js";
import { conflictWords } from "./people.js";
import { QueueFilters } from "./queuefilters.js";
import { itemOf, shotOf } from "./queueitem.js";
import { choiceOf, isSaid, keyOf, optionsOf, passes, sift } from "./sieve.js";

const ITEMS_AT_ONCE = 60;
const STRONGEST = 10;

export class QueueView {
  /** `list` is `{alerts, agreement}`; `keeper` keeps the address, `names` the reviewer's name, `shelf` the pictures. */
  constructor(list, { carrier, keeper, names, shelf, options }) {
    Object.assign(this, { list, carrier, keeper, names, shelf });
    this.choice = choiceOf(options);
    this.current = options.get("focus");
    this.kept = new Set();
    this.picked = new Set();
    this.done = [];
    this.saving = Promise.resolve();
    this.items = new Map();
    this.filters = new QueueFilters((changed) => this._choose(changed));
    this.left = h("p", { class: "left", role: "status" });
    this.bar = h("progress", { "aria-label": "Share of these alerts that is judged", max: 1, value: 0 });
    this.bulk = h("div", { class: "bulk", role: "group", "aria-label": "Selected alerts", hidden: true });
    this.notice = h("p", { class: "problem", role: "alert", hidden: true });
    this.body = h("ol", { class: "queue", "aria-label": "Alerts" });
    this.end = h("p", { class: "quiet", hidden: true }, "more below …");
    this.glance = new Glance(carrier, {
      judge: (verdict) => this.judge(verdict), revise: (reason) => this.reason(reason), addressOf: (lead) => `#/run/${lead.run}@${lead.start_s.toFixed(2)}`,
    });
    this.agreement = h("div", { class: "agreement" });
    new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this._more(), { rootMargin: "600px" }).observe(this.end);
    this.element = h("div", { class: "queue-page" },
      h("header", { class: "queue-head" }, h("h1", { tabindex: "-1" }, "Alerts of all videos"), this.left, this.bar),
      this.filters.element, this.notice,
      h("div", { class: "queue-body" },
        h("div", { class: "panel queue-panel" }, this.bulk, this.body, this.end, this.agreement), this.glance.element));
    this.draw();
  }

  /** Filters and sorts anew; whoever has the focus keeps it, if it is still there. */
  draw() {
    const before = this.rows?.findIndex((row) => row.key === this.current) ?? 0;
    this.rows = sift(this.list.alerts, this.choice, this.kept);
    if (!this.rows.some((row) => row.key === this.current)) {
      const near = this.rows[Math.min(Math.max(0, before), this.rows.length - 1)];
      this.current = (this.rows.find((row) => isOpen(row)) ?? near)?.key ?? null;
    }
    this.picked = new Set([...this.picked].filter((key) => this.rows.some((row) => row.key === key)));
    this.items.clear();
    this.waiting = [...this.rows];
    fill(this.body);
    do this._more();
    while (this.waiting.length && this.current && !this.items.has(this.current));
    if (!this.rows.length) fill(this.body, h("li", { class: "plain" }, this._nothing()));
    this._drawHead();
    this._drawBulk();
    this._drawAgreement();
    this.glance.show(this._row(), this.picked.size);
    this._write();
  }

  redraw() {
    this.glance.redraw();
  }

  focus() {
    const item = this.items.get(this.current);
    if (item && this.keeper.place) item.button.focus({ preventScroll: true });
    else this.element.querySelector("h1").focus({ preventScroll: true });
    announce(`Alerts of all videos: ${this.left.textContent}`);
  }

  /** Takes the alerts anew, when others judged or runs came; they were `asked` for at a time of this page's clock. */
  refresh(list, asked) {
    const known = new Map(this.list.alerts.map((alert) => [keyOf(alert), alert]));
    const fresh = list.alerts.filter((alert) => !known.has(keyOf(alert))).length;
    this.list = { ...list, alerts: list.alerts.map((alert) => merged(known.get(keyOf(alert)), alert, asked)) };
    for (const alert of this.list.alerts) if (alert.review && this.items.has(keyOf(alert))) this.kept.add(keyOf(alert));
    const hadFocus = this.body.contains(document.activeElement);
    this.draw();
    if (hadFocus) this.items.get(this.current)?.button.focus({ preventScroll: true });
    if (fresh) announce(`${count(fresh, "new alert")}`);
  }

  destroy() {
    this.glance.destroy();
    this.isGone = true;
  }

  onKey(event) {
    if (isText(event.target)) return false;
    if (event.ctrlKey || event.metaKey) {
      if (event.key === "a") return this._pick(this.rows.map((row) => row.key));
      if (event.key === "z") return this.undo();
      return false;
    }
    if (event.altKey) return false;
    const verdict = VERDICTS.find(([, , key]) => key === event.key);
    const isOnItem = event.target === document.body || this.body.contains(event.target) || event.target.matches?.("h1");
    const actions = {
      j: () => this.go(1), k: () => this.go(-1), z: () => this.undo(), x: () => this._toggle(this.current),
      0: () => this._choose({ top: this.choice.top ? "" : String(STRONGEST), sort: this.choice.top ? "time" : "score" }),
      g: () => this._choose({ group: this.choice.group ? "" : "1" }),
      s: () => this._choose({ sort: this.choice.sort === "score" ? "time" : "score" }),
      "/": () => this.filters.search(),
      Escape: () => this._pick([]),
    };
    if (verdict) this.judge(verdict[0]);
    else if (event.key in actions) actions[event.key]();
    else if (event.key === "ArrowDown" && isOnItem) this.go(1);
    else if (event.key === "ArrowUp" && isOnItem) this.go(-1);
    else if (event.key === " " && (isOnItem || this.glance.element.contains(event.target)) && !event.target.matches?.("input, .glance button, .glance a")) this.glance.toggle();
    else return this.glance.onKey(event);
    return true;
  }

  /** To the next (+1) or previous (-1) alert; the focus goes along. */
  go(direction) {
    const at = this.rows.findIndex((row) => row.key === this.current);
    const row = this.rows[Math.min(this.rows.length - 1, Math.max(0, at + direction))];
    if (row) this.select(row.key);
    return true;
  }

  select(key) {
    const before = this.current;
    this.current = key;
    while (this.waiting.length && !this.items.has(key)) this._more();
    for (const one of [before, key]) this._redrawItem(one);
    const item = this.items.get(key);
    item?.button.focus({ preventScroll: true });
    item?.element.scrollIntoView({ block: "nearest" });
    this.glance.show(this._row(), this.picked.size);
    this._write();
  }

  /** Judges what is selected, else the alert of now, and goes to the next that is open; null takes a verdict back. */
  judge(verdict, reason = null) {
    const rows = this.picked.size ? this.rows.filter((row) => this.picked.has(row.key)) : [this._row()].filter(Boolean);
    if (!rows.length) return announce("No alert to judge");
    const alerts = rows.flatMap((row) => row.alerts);
    this.done.push(alerts.map((alert) => ({ alert, before: this._own(alert) })));
    this._store(alerts.map((alert) => ({ alert, verdict, reason: reason ?? this.glance.reasonOf(alert) })));
    const words = alerts.length > 1 ? `${count(alerts.length, "alert")}: ${verdict}` : verdict === null ? "Verdict taken back" : `Saved: ${verdict}`;
    this.picked.clear();
    this._drawBulk();
    for (const row of rows) this._redrawItem(row.key);
    if (verdict !== null) this._goOn();
    else this.glance.show(this._row(), 0);
    announce(this._open() ? `${words}. ${this.left.textContent}` : `${words}. All done`);
    this.names.askOnce();
    return true;
  }

  /** Gives the alert of now its verdict again, with a reason. */
  reason(text) {
    const row = this._row();
    if (row?.lead.review) this._store(row.alerts.filter((alert) => alert.review).map((alert) => ({ alert, verdict: alert.review.verdict, reason: text })));
  }

  /** Takes the last verdicts back: what the reviewer had said before is said again. */
  undo() {
    const last = this.done.pop();
    if (!last) return announce("Nothing to undo") ?? true;
    this._store(last.map(({ alert, before }) => ({ alert, verdict: before?.verdict ?? null, reason: before?.reason ?? "" })));
    const row = this.rows.find((one) => one.alerts.includes(last[0].alert));
    if (row) this.select(row.key);
    else {
      this.current = keyOf(last[0].alert);
      this.draw();
    }
    announce(`${last.length > 1 ? count(last.length, "verdict") : "Verdict"} undone`);
    return true;
  }

  /** Shows verdicts at once and stores them one request after the other; what is refused is shown as it stands. */
  _store(wanted) {
    const time = new Date().toISOString();
    const sent = wanted.map(({ alert, verdict, reason }) => {
      const seen = alert.reviews ?? [];
      const others = seen.filter((review) => review.by !== this.names.name);
      alert.reviews = verdict === null ? others : [...others, { verdict, reason, by: this.names.name, at: time }];
      alert.review = alert.reviews.at(-1) ?? null;
      alert.problem = null;
      alert.nOnTheWay = (alert.nOnTheWay ?? 0) + 1;
      alert.changed = performance.now();
      this.kept.add(keyOf(alert));
      return { run: alert.run, alert_id: alert.alert_id, verdict, reason, seen: seen.map((review) => [review.by, review.at]) };
    });
    this._drawHead();
    this.saving = this.saving.then(async () => {
      let answers;
      try {
        answers = await this.carrier.saveVerdicts(sent);
      } catch (problem) {
        answers = sent.map(() => ({ error: String(problem.message ?? problem), reviews: null }));
      }
      if (!this.isGone) this._answered(wanted, sent, answers);
    });
  }

  _answered(wanted, sent, answers) {
    const refused = [];
    wanted.forEach(({ alert }, i) => {
      alert.nOnTheWay -= 1;
      alert.changed = performance.now();
      if (alert.nOnTheWay) return; // a later verdict about it is on its way
      const { review, reviews, conflict, error } = answers[i];
      if (reviews) Object.assign(alert, { review, reviews });
      else if (error) {
        alert.reviews = (alert.reviews ?? []).filter((one) => one.by !== this.names.name);
        alert.review = alert.reviews.at(-1) ?? null;
      }
      alert.problem = conflict ? conflictWords(conflict) : error ? `Not stored: ${error}` : null;
      if (alert.problem) refused.push(alert);
      const row = this.rows.find((one) => one.alerts.includes(alert));
      if (row) this._redrawItem(row.key);
    });
    this._drawHead();
    this.glance.show(this._row(), this.picked.size);
    this.notice.hidden = !refused.length;
    if (refused.length) {
      const [first] = refused;
      fill(this.notice, `${first.video} at ${clock(first.start_s)}: ${first.problem} `, refused.length > 1 ? `${refused.length - 1} more were not stored. ` : "",
        h("button", { type: "button", onclick: () => this.select(this.rows.find((row) => row.alerts.includes(first))?.key ?? this.current) }, "Show"));
    }
  }

  _own(alert) {
    return (alert.reviews ?? []).find((review) => review.by === this.names.name) ?? null;
  }

  _row() {
    return this.rows.find((row) => row.key === this.current) ?? null;
  }

  _open() {
    return this.rows.filter(isOpen).length;
  }

  /** To the next alert without a verdict, from here on and then from the beginning; stays where all are judged. */
  _goOn() {
    const at = this.rows.findIndex((row) => row.key === this.current);
    const next = this.rows.slice(at + 1).find(isOpen) ?? this.rows.find(isOpen);
    this.select(next?.key ?? this.current);
  }

  _choose(changed) {
    this.choice = { ...this.choice, ...changed };
    this.kept.clear();
    this.current = null;
    const hadFocus = this.body.contains(document.activeElement);
    scrollTo(0, 0);
    this.draw();
    if (hadFocus) this.items.get(this.current)?.button.focus({ preventScroll: true });
    announce(this.left.textContent);
    return true;
  }

  _pick(keys) {
    const before = this.picked;
    this.picked = new Set(keys);
    for (const key of new Set([...before, ...keys])) this._redrawItem(key);
    this._drawBulk();
    this.glance.show(this._row(), this.picked.size);
    announce(keys.length ? `${keys.length} selected` : "Nothing selected");
    return true;
  }

  _toggle(key, extend = false) {
    const picked = new Set(this.picked);
    const last = this.rows.findIndex((row) => row.key === this.lastPicked);
    const at = this.rows.findIndex((row) => row.key === key);
    const range = extend && last >= 0 ? this.rows.slice(Math.min(last, at), Math.max(last, at) + 1).map((row) => row.key) : [key];
    const turnsOn = !picked.has(key);
    for (const one of range) turnsOn ? picked.add(one) : picked.delete(one);
    this.lastPicked = key;
    this._pick([...picked]);
  }

  _more() {
    for (const row of this.waiting.splice(0, ITEMS_AT_ONCE)) {
      const item = this._item(row, shotOf(row.lead, this.shelf, this.carrier.isServed));
      this.items.set(row.key, item);
      this.body.append(item.element);
    }
    this.end.hidden = !this.waiting.length;
  }

  /** Draws a row again, its picture kept. */
  _redrawItem(key) {
    const row = this.rows.find((one) => one.key === key);
    const item = this.items.get(key);
    if (!row || !item) return;
    const hadFocus = item.element.contains(document.activeElement) ? document.activeElement.dataset.what : null;
    const fresh = this._item(row, item.shot);
    item.element.replaceWith(fresh.element);
    this.items.set(key, fresh);
    if (hadFocus) fresh.element.querySelector(`[data-what="${hadFocus}"]`)?.focus({ preventScroll: true });
  }

  _item(row, shot) {
    return itemOf(row, {
      shot, isCurrent: row.key === this.current, isPicked: this.picked.has(row.key),
      select: () => this.select(row.key), toggle: (extend) => this._toggle(row.key, extend),
    });
  }

  _drawHead() {
    const among = this.list.alerts.filter((alert) => passes(alert, this.choice));
    const total = this.rows.length;
    const open = this._open();
    this.left.textContent = total ? (open ? `${open} left of ${total}` : `All done: ${total} judged`) : "No alerts";
    this.left.classList.toggle("all-done", total > 0 && !open);
    this.bar.hidden = !total;
    this.bar.value = total ? (total - open) / total : 0;
    const counts = Object.fromEntries(["open", "true", "false", "unsure", "all", "differ"].map((name) => [name, among.filter((alert) => isSaid(alert, name, new Set())).length]));
    this.filters.draw(this.choice, this.list.alerts, counts);
  }

  _drawBulk() {
    const n = this.picked.size;
    this.bulk.hidden = !n;
    fill(this.bulk, h("b", {}, `${n} selected`),
      VERDICTS.map(([verdict, word, key]) => h("button", { type: "button", class: `verdict ${verdict}`, onclick: () => this.judge(verdict) }, `${word} `, h("kbd", {}, key))),
      h("button", { type: "button", class: "link", onclick: () => this._pick([]) }, "Clear"),
      n < this.rows.length ? h("button", { type: "button", class: "link", onclick: () => this._pick(this.rows.map((row) => row.key)) }, `Select all ${this.rows.length}`) : null);
  }

  _drawAgreement() {
    fill(this.agreement, (this.list.agreement ?? []).map((one) => h("p", { class: "quiet" },
      `${one.first} and ${one.second} judged ${count(one.n_both, "alert")} both, ${one.n_same} alike; `,
      one.kappa === null ? "Cohen's kappa is undefined." : `Cohen's kappa ${one.kappa.toFixed(2)}.`)));
  }

  _nothing() {
    if (!this.list.alerts.length) return ["No alerts were found in these videos yet: ", h("code", {}, "fervid alerts RUN"), " finds moments for review."];
    const isBare = !Object.keys(optionsOf({ ...this.choice, verdict: "open" })).length;
    if (isBare && this.choice.verdict === "open") return ["All alerts are judged. ", h("button", { type: "button", onclick: () => this._choose({ verdict: "all" }) }, "Show all")];
    return ["No alert matches. ", h("button", { type: "button", onclick: () => this._choose(choiceOf(new URLSearchParams())) }, "Clear filters")];
  }

  _write() {
    this.keeper.write(hashOf("alerts", { ...optionsOf(this.choice), focus: this.current }));
  }
}

function isOpen(row) {
  return row.alerts.some((alert) => !alert.review);
}

/** An alert with what the server had of it when it was `asked`, unless a verdict was given here since. */
function merged(known, fresh, asked) {
  return known?.nOnTheWay || (known?.changed ?? 0) > asked ? known : Object.assign(known ?? {}, fresh);
}

function isText(target) {
  return target instanceof HTMLElement && target.matches("input:not([type=checkbox]), textarea, select");
}
