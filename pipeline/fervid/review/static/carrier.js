// Where the page takes its content from: the file that contains it, or the server that sent it. Same answers from both.

import { bytesOf } from "./columns.js";
import { conflictWords, ownName } from "./people.js";

const KEPT = "fervid-verdicts";

export function openCarrier() {
  const embedded = document.getElementById("fervid-data");
  return embedded ? new FileCarrier(JSON.parse(embedded.textContent)) : new ServerCarrier();
}

export function readStrip(strip) {
  return { coverage: bytesOf(strip.coverage), means: bytesOf(strip.means) };
}

class FileCarrier {
  constructor(data) {
    this.data = data;
    this.isServed = false;
    this.strips = new Map(data.runs.map((card) => [card.id, card.strip]));
    this.verdicts = this._kept();
  }

  /** The run of a page that holds nothing else. */
  async onlyRun() {
    return this.data.runs.length === 1 && !this.data.failures.length ? this.data.runs[0].id : null;
  }

  async list() {
    for (const card of this.data.runs) this._count(card);
    return this.data;
  }

  async stripsOf(ids) {
    return Object.fromEntries(ids.map((id) => [id, this.strips.get(id)]));
  }

  async run(id) {
    const element = document.getElementById(`run-${id}`);
    if (!element) return null;
    const content = JSON.parse(element.textContent);
    for (const alert of content.alerts ?? []) {
      const kept = this.verdicts[alert.alert_id];
      if (kept) alert.review = kept.verdict === null ? null : { ...kept, by: "you", at: kept.time_utc };
    }
    return content;
  }

  /** What the page has along of what a server would be asked for: the rules of a run, and what other thresholds change. */
  async ask(id, what, { rule, enter } = {}) {
    const { rules } = await this.run(id);
    return what === "rules" ? rules : outcomeOf(rules.rules, rule, enter);
  }

  async whatIf(ids, { rule, enter }) {
    const found = {};
    for (const id of ids) {
      const { rules } = (await this.run(id)) ?? {};
      if (rules?.rules.some((one) => one.name === rule)) found[id] = outcomeOf(rules.rules, rule, enter);
    }
    return found;
  }

  /** The alerts of the runs that this page contains. */
  async alerts() {
    const alerts = [];
    for (const card of this.data.runs) {
      const content = await this.run(card.id);
      const own = { run: card.id, video: card.name, camera: card.camera ?? "", has_video: false, fitness: content?.fitness.best ?? "" };
      for (const alert of content?.alerts ?? []) alerts.push({ ...alert, ...own, reviews: alert.review ? [alert.review] : [] });
    }
    return { alerts, agreement: [], account: null };
  }

  /** Keeps a verdict in this browser; `download` makes it a file. */
  async saveVerdict(_run, alert, verdict, reason) {
    const time = new Date().toISOString().replace(/\.\d+Z$/, "+00:00");
    this.verdicts[alert.alert_id] = { alert_id: alert.alert_id, verdict, reason, time_utc: time };
    try {
      localStorage.setItem(`${KEPT}:${this.data.report_id}`, JSON.stringify(this.verdicts));
    } catch {
      // A browser may forbid storage for files; the verdicts then live until the page is closed.
    }
    this.onSaved?.();
    return verdict === null ? null : { verdict, reason, by: "you", at: time };
  }

  async saveVerdicts(wanted) {
    return Promise.all(wanted.map(async ({ run, alert_id: id, verdict, reason }) => {
      const review = await this.saveVerdict(run, { alert_id: id }, verdict, reason);
      return { review, reviews: review ? [review] : [] };
    }));
  }

  /** Nothing changes on a page from disk. */
  listen() {}

  get count() {
    return Object.keys(this.verdicts).length;
  }

  download() {
    const text = JSON.stringify({ verdicts: Object.values(this.verdicts) }, null, 1);
    const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = "verdicts.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  _kept() {
    try {
      return JSON.parse(localStorage.getItem(`${KEPT}:${this.data.report_id}`)) ?? {};
    } catch {
      return {};
    }
  }

  /** Verdicts that were given on this page count as reviewed in its list. */
  _count(card) {
    if (!card.alerts) return;
    const known = new Set(card.alerts.reviewed_ids ?? []);
    for (const id of card.alerts.ids ?? []) {
      const kept = this.verdicts[id];
      if (kept) kept.verdict === null ? known.delete(id) : known.add(id);
    }
    card.alerts.reviewed = known.size;
  }
}

/** What a threshold changes, from the trials that a page from disk has of each rule. */
function outcomeOf(rules, name, enter) {
  const { trials } = rules.find((rule) => rule.name === name);
  const at = trials.enter.reduce((best, one, i) => (Math.abs(one - enter) < Math.abs(trials.enter[best] - enter) ? i : best), 0);
  return {
    before: { rule: trials.before.filter((alert) => alert.rule === name).length }, after: { rule: trials.rule[at] },
    added: trials.added[at].map(([place, start, end, score]) => ({ rule: rules[place].name, wording: rules[place].wording, tier: rules[place].tier, start_s: start, end_s: end, peak_score: score })),
    removed: trials.removed[at].map((i) => trials.before[i]), changed: trials.changed[at],
  };
}

class ServerCarrier {
  constructor() {
    this.isServed = true;
    this.count = 0;
  }

  async onlyRun() {
    return null;
  }

  async list() {
    return this._get("/api/runs");
  }

  async stripsOf(ids) {
    return this._get(`/api/strips?ids=${ids.map(encodeURIComponent).join(",")}`);
  }

  async run(id) {
    return this._get(`/api/runs/${encodeURIComponent(id)}`);
  }

  /** Asks for something about a run: `what` is the end of the address, `values` go into the query. */
  async ask(id, what, values = {}, options = {}) {
    return this._get(`/api/runs/${encodeURIComponent(id)}/${what}?${new URLSearchParams(values)}`, options);
  }

  /** Begins something about a run that the server makes; `job` tells how far it is. */
  async begin(id, what, values) {
    return this._get(`/api/runs/${encodeURIComponent(id)}/${what}?${new URLSearchParams(values)}`, { method: "POST" });
  }

  async job(name) {
    return this._get(`/api/jobs/${encodeURIComponent(name)}`);
  }

  /** What a threshold would change in some runs. */
  async whatIf(ids, values, options = {}) {
    return this._get(`/api/whatif?${new URLSearchParams({ ...values, ids: ids.join(",") })}`, options);
  }

  /** The name that this browser gives its verdicts and what it takes away; null until one was chosen. */
  get name() {
    return ownName();
  }

  async alerts() {
    return this._get("/api/alerts");
  }

  /** The runs in which somebody shows an expression for some time, and where. */
  async find(values, options = {}) {
    return this._get(`/api/find?${new URLSearchParams(values)}`, options);
  }

  /** The strongest moments of an expression over all runs. */
  async moments(label) {
    return (await this._get(`/api/moments?label=${encodeURIComponent(label)}`)).moments;
  }

  /** Which stills are ready; the others are made meanwhile. */
  async pictureStates(names) {
    return this._get(`/api/pictures?ids=${names.map(encodeURIComponent).join(",")}`);
  }

  /** A few gray pixels of each, which the analysis stored, until there is a still. */
  async sketches(names) {
    return this._get(`/api/sketches?ids=${names.map(encodeURIComponent).join(",")}`);
  }

  pictureAddress(name) {
    return `/stills/${encodeURIComponent(name)}.jpg`;
  }

  /** Stores a verdict unless a newer one of somebody else contradicts it: then it throws, and shows that one. */
  async saveVerdict(run, alert, verdict, reason) {
    const seen = (alert.reviews ?? []).map((review) => [review.by, review.at]);
    const body = { alert_id: alert.alert_id, verdict, reason, by: ownName(), seen };
    const [answer, content] = await this._post(`/api/runs/${encodeURIComponent(run)}/verdicts`, body);
    if (content.reviews) Object.assign(alert, { reviews: content.reviews, review: content.review });
    if (!answer.ok) throw new Error(content.conflict ? conflictWords(content.conflict) : content.error);
    this.onSaved?.();
    return content.review;
  }

  /** Stores verdicts about alerts of any runs; what became of each, in their order. */
  async saveVerdicts(wanted) {
    const [answer, content] = await this._post("/api/verdicts", { by: ownName(), verdicts: wanted });
    if (!answer.ok) throw new Error(content.error);
    return content.verdicts;
  }

  /** Calls `onChange({runs, left})` when runs or verdicts came; only while the page is in view, as connections are few. */
  listen(onChange) {
    let source = null;
    const follow = () => {
      source?.close();
      source = document.hidden ? null : new EventSource("/api/events");
      source?.addEventListener("changed", (event) => onChange(JSON.parse(event.data)));
    };
    document.addEventListener("visibilitychange", follow);
    addEventListener("pagehide", () => source?.close());
    follow();
  }

  async _post(address, body) {
    const answer = await fetch(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    return [answer, await answer.json()];
  }

  async _get(address, options = {}) {
    const answer = await fetch(address, options);
    if (answer.status === 401) throw new Error("This address has no valid token. Use the one that fervid serve printed.");
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.error);
    return content;
  }
}
