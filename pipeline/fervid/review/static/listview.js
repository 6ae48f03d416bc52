// The runs of a folder: what waits for a look, a strip of each, search, filters, and what could not be analysed.

import { hashOf } from "./address.js";
import { readStrip } from "./carrier.js";
import { announce, clock, count, fill, h, isTyping, percent, span } from "./dom.js";
import { ListFilters } from "./listfilters.js";
import { paintStrip } from "./paint.js";

const SHORT_FIT = { fit: "fit", limited: "in part", not_fit: "not fit" };
const ID_DIGITS = 8;
const LOWEST_ROW_PX = 40;
const ROWS_MORE = 30;
const FILTERS = [
  ["all", "All", () => true],
  ["review", "To review", (card) => toReview(card) > 0],
  ["alerts", "With alerts", (card) => (card.alerts?.alerts ?? 0) > 0],
  ["unfit", "Not fit", (card) => card.fitness?.verdict === "not_fit"],
  ["partial", "Damaged", (card) => card.status !== "complete" || card.warnings > 0],
];
const REPLACED = ["replaced", "Video replaced", (card) => card.is_left_out];
const REPLACED_WORDS = "Another video is at this path since the analysis.";
const COLUMNS = [
  ["name", "video", (card) => card.name.toLowerCase(), 1],
  ["duration", "length", (card) => card.duration_s, -1],
  ["strip", "how faces look over time", null, 0],
  ["coverage", "face usable", (card) => card.coverage ?? -1, -1],
  ["agitation", "motion", (card) => card.agitation ?? -1, -1],
  ["review", "alerts", (card) => toReview(card) * 1000 + (card.alerts?.alerts ?? 0), -1],
  ["fitness", "for alerts", (card) => ["not_fit", "limited", "fit"].indexOf(card.fitness?.verdict), 1],
];

export class ListView {
  /** `keeper` keeps the address, `shelf` the pictures, `options` are those of the address. */
  constructor(list, carrier, colours, { keeper, shelf, options }) {
    Object.assign(this, { list, carrier, colours, keeper, shelf });
    this.strips = new Map();
    this.query = options.get("q") ?? "";
    this.filter = [...FILTERS, REPLACED].some(([name]) => name === options.get("show")) ? options.get("show") : "all";
    this.current = options.get("focus");
    this.usual = list.runs.some((card) => toReview(card)) ? "review" : "name";
    const [sorted, turned] = (options.get("sort") ?? "").split("-");
    this.sorted = COLUMNS.some(([name, , value]) => name === sorted && value) ? sorted : this.usual;
    this.direction = usualDirection(this.sorted) * (turned === "turned" ? -1 : 1);
    this.rows = new Map();
    this._lookForMotion();
    this.body = h("tbody");
    this.found = h("p", { class: "quiet", role: "status" });
    this.filters = h("div", { class: "filters", role: "group", "aria-label": "Filter" });
    this.headings = h("tr");
    this.search = h("input", {
      type: "search", placeholder: "Search names and folders", "aria-label": "Search names and folders", "aria-keyshortcuts": "/", value: this.query,
      oninput: (event) => {
        this.query = event.target.value;
        this.draw();
      },
    });
    this.more = new ListFilters(list, carrier, options, () => this.draw());
    this.watcher = new IntersectionObserver((entries) => this._onView(entries), { rootMargin: "200px" });
    this.end = h("p", { class: "quiet", hidden: true }, "more below …");
    new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this._more(), { rootMargin: "400px" }).observe(this.end);
    this.body.addEventListener("focusin", (event) => this._onFocus(event));
    this.overview = h("div", {});
    this.failures = h("div", {});
    this.element = h("div", { class: "list" }, this.overview,
      h("div", { class: "list-tools" }, this.search, this.filters, this.found, this.more.element),
      h("div", { class: "panel table-panel", tabindex: "0", role: "group", "aria-label": "Table of videos" },
        h("table", { class: "runs" }, h("thead", {}, this.headings), this.body), this.end),
      this.failures);
    this.draw();
  }

  /** Notes whether a run measured motion; otherwise there is no column of it. */
  _lookForMotion() {
    const hasMotion = this.list.runs.some((card) => typeof card.agitation === "number");
    if (hasMotion !== this.hasMotion) this.rows.clear();
    this.hasMotion = hasMotion;
  }

  get columns() {
    return COLUMNS.filter(([name]) => name !== "agitation" || this.hasMotion);
  }

  onKey(event) {
    if (isTyping(event.target) || event.ctrlKey || event.altKey || event.metaKey) return false;
    if (event.key === "/") this.search.focus();
    else if (event.key === "j" || event.key === "k") this._go(event.key === "j" ? 1 : -1);
    else return false;
    return true;
  }

  /** The address of the video of now beside others. */
  get compareAddress() {
    return this.current ? `#/compare?runs=${this.current}` : null;
  }

  /** To the next (+1) or previous (-1) video; the focus goes along. */
  _go(direction) {
    const links = [...this.body.querySelectorAll("td.name a")];
    const at = links.findIndex((link) => link.dataset.run === this.current);
    const link = links[Math.min(links.length - 1, Math.max(0, at + direction))];
    link?.focus({ preventScroll: true });
    link?.scrollIntoView({ block: "nearest" });
  }

  _onFocus(event) {
    const link = event.target.closest?.("a[data-run]");
    if (!link) return;
    this.current = link.dataset.run;
    this._write();
  }

  _write() {
    const usual = this.sorted === this.usual && this.direction === usualDirection(this.sorted);
    const sort = usual ? "" : `${this.sorted}${this.direction === usualDirection(this.sorted) ? "" : "-turned"}`;
    this.keeper.write(hashOf("list", { q: this.query, show: this.filter === "all" ? "" : this.filter, sort, ...this.more.options, focus: this.current }));
  }

  /** Takes the list anew, when runs or verdicts came. */
  refresh(list) {
    const known = new Set(this.list.runs.map((card) => card.id));
    const fresh = list.runs.filter((card) => !known.has(card.id)).length;
    const before = new Map(this.list.runs.map((card) => [card.id, card]));
    for (const card of list.runs) {
      const { cells: _cells, ...old } = before.get(card.id) ?? {};
      card.fitness ??= old.fitness;
      if (JSON.stringify({ ...card, fitness: null }) !== JSON.stringify({ ...old, fitness: null })) this.rows.delete(card.id);
      else card.cells = before.get(card.id).cells;
    }
    this.list = list;
    this._lookForMotion();
    this.colours = list.colours;
    const focused = this.body.contains(document.activeElement) ? document.activeElement.dataset.run : null;
    this.draw();
    if (focused) this.body.querySelector(`a[data-run="${focused}"]`)?.focus({ preventScroll: true });
    if (fresh) announce(`${count(fresh, "new video")}`);
  }

  draw() {
    const words = this.query.toLowerCase().split(/\s+/).filter(Boolean);
    const filters = this._filters();
    const [, , keep] = filters.find(([name]) => name === this.filter) ?? filters[0];
    const [, , value] = COLUMNS.find(([name]) => name === this.sorted);
    const shown = this.list.runs
      .filter((card) => keep(card) && this.more.keeps(card) && words.every((word) => `${card.name} ${card.camera ?? ""} ${card.folder}`.toLowerCase().includes(word)))
      .sort((a, b) => compare(value(a), value(b)) * this.direction || compare(a.name, b.name));
    fill(this.filters, filters.map(([name, text, matches]) => {
      const n = this.list.runs.filter(matches).length;
      return h("button", { type: "button", "aria-pressed": String(name === this.filter), disabled: n === 0 && name !== "all",
        onclick: () => { this.filter = name; this.draw(); } }, text, h("span", { class: "n" }, String(n)));
    }));
    fill(this.headings, this.columns.map(([name, text, sorts]) => h("th", {
      scope: "col", class: name, "aria-sort": name === this.sorted ? (this.direction > 0 ? "ascending" : "descending") : null,
    }, sorts ? h("button", { type: "button", class: "sort", onclick: () => this._sort(name) }, text,
      h("span", { "aria-hidden": "true" }, name === this.sorted ? (this.direction > 0 ? " ▲" : " ▼") : "")) : text)));
    const place = shown.findIndex((card) => card.id === this.current);
    const inView = Math.ceil((this.keeper.place + innerHeight) / LOWEST_ROW_PX); // the others follow when they come near
    const n = Math.max(inView, place + 1, Math.min(shown.length, this.body.children.length));
    this.waiting = shown.slice(n);
    fill(this.body, shown.slice(0, n).map((card) => this._found(card)));
    this.end.hidden = !this.waiting.length;
    if (!shown.length) fill(this.body, h("tr", {}, h("td", { colspan: this.columns.length, class: "plain" }, this._nothing())));
    fill(this.overview, this._overview());
    fill(this.failures, this._failures());
    this._write();
    const total = this._current().length;
    this.found.textContent = shown.length === total ? count(total, "video") : `${shown.length} of ${count(total, "video")}`;
  }

  /** The runs that count: another video took the place of those of the others. */
  _current() {
    return this.list.runs.filter((card) => !card.is_left_out);
  }

  /** The filters, which leave out runs of replaced videos; those have one of their own where there are some. */
  _filters() {
    const own = FILTERS.map(([name, text, matches]) => [name, text, (card) => !card.is_left_out && matches(card)]);
    return this.list.runs.some(REPLACED[2]) ? [...own, REPLACED] : own;
  }

  redraw() {
    for (const [id, canvas] of this.drawn ?? []) this._paint(id, canvas);
  }

  focus() {
    const link = this.current && this.body.querySelector(`a[data-run="${CSS.escape(this.current)}"]`);
    if (link) {
      link.focus({ preventScroll: true });
      if (!this.keeper.place) link.scrollIntoView({ block: "center" });
    }
    announce(count(this._current().length, "video"));
  }

  _nothing() {
    if (!this.list.runs.length) return "No video was analysed here yet.";
    return ["Nothing matches. ", h("button", { type: "button", onclick: () => {
      this.query = this.search.value = "";
      this.filter = "all";
      this.more.clear();
      this.search.focus();
    } }, "Clear search and filters")];
  }

  destroy() {
    this.watcher.disconnect();
  }

  /** Further rows, when the last ones come near. */
  _more() {
    this.body.append(...this.waiting.splice(0, ROWS_MORE).map((card) => this._found(card)));
    this.end.hidden = !this.waiting.length;
  }

  /** The row of a video, with a link to what was looked for in it. */
  _found(card) {
    const row = this._row(card);
    const hit = this.more.hit(card);
    fill(row.querySelector(".hit"), hit ? h("a", { href: `#/run/${card.id}@${hit.start_s.toFixed(2)}` }, `${hit.words} at ${clock(hit.start_s)}`) : null);
    return row;
  }

  _sort(name) {
    if (name === this.sorted) this.direction *= -1;
    else {
      this.sorted = name;
      this.direction = usualDirection(name);
    }
    this.draw();
  }

  _row(card) {
    const kept = this.rows.get(card.id);
    if (kept) return kept;
    const canvas = h("canvas", { class: "strip", "aria-hidden": "true" });
    canvas.dataset.run = card.id;
    this.watcher.observe(canvas);
    const address = card.href ?? `#/run/${card.id}`;
    const image = card.has_video && this.carrier.isServed ? this.shelf.hang(h("img", { class: "thumbnail", alt: "" }), card.id) : null;
    const look = card.dominant ? `, mostly looks ${card.dominant}` : ", no usable face";
    const fitness = h("td", { class: "fitness" });
    const row = h("tr", {},
      h("td", { class: "name" }, h("a", { href: address, "data-run": card.id }, image, h("span", {}, h("b", {}, card.name), h("small", { title: card.folder }, [card.camera, card.folder.slice(-ID_DIGITS)].filter(Boolean).join(" · ")))), h("span", { class: "hit" })),
      h("td", { class: "figure" }, span(card.duration_s)),
      h("td", { class: "strip" }, canvas, h("span", { class: "hidden" }, `${percent(card.coverage)} with a usable face${look}`)),
      h("td", { class: "figure" }, percent(card.coverage)),
      this.hasMotion ? h("td", { class: "figure", title: "the most agitated motion, 0 to 1" }, card.agitation?.toFixed(2) ?? "–") : null,
      h("td", { class: "review" }, alertsOf(card)),
      fitness);
    this._showFitness(card, fitness);
    card.cells = { fitness };
    this.rows.set(card.id, row);
    return row;
  }

  _showFitness(card, cell) {
    const { fitness } = card;
    fill(cell, fitness ? h("span", { class: `badge ${fitness.verdict}`, title: fitness.short || fitness.text }, (SHORT_FIT[fitness.verdict] ?? fitness.verdict) + (fitness.is_by_motion_alone ? ", motion only" : "")) : "",
      card.is_superseded ? h("span", { class: "badge limited", title: REPLACED_WORDS }, "video replaced") : null,
      card.status === "complete" ? null : h("span", { class: "badge limited", title: card.damage ?? "" }, card.status));
  }

  async _onView(entries) {
    const wanted = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
    if (!wanted.length) return;
    for (const canvas of wanted) this.watcher.unobserve(canvas);
    const ids = wanted.map((canvas) => canvas.dataset.run);
    const strips = await this.carrier.stripsOf(ids);
    this.drawn ??= new Map();
    for (const canvas of wanted) {
      const id = canvas.dataset.run;
      if (!strips[id]) continue;
      this.strips.set(id, readStrip(strips[id]));
      this.drawn.set(id, canvas);
      this._paint(id, canvas);
      const card = this.list.runs.find((one) => one.id === id);
      if (strips[id].fitness && !card.fitness) {
        card.fitness = strips[id].fitness;
        this._showFitness(card, card.cells.fitness);
      }
    }
  }

  _paint(id, canvas) {
    const card = this.list.runs.find((one) => one.id === id);
    const { labels, duration_s: duration } = card;
    paintStrip(canvas, { ...this.strips.get(id), labels, colours: this.colours, marks: card.alerts?.marks ?? [], duration });
  }

  _overview() {
    const runs = this._current();
    const lost = this._lost();
    const alerts = sum(runs, (card) => card.alerts?.alerts ?? 0);
    const waiting = sum(runs, toReview);
    const seconds = sum(runs, (card) => card.duration_s);
    const covered = sum(runs, (card) => (card.coverage ?? 0) * card.duration_s);
    const tiles = [
      [String(runs.length), runs.length === 1 ? "video" : "videos", span(seconds)],
      [String(waiting), "to review", `${count(alerts, "alert")} in all`, waiting ? "hot" : ""],
      [percent(seconds ? covered / seconds : null), "face usable", "of the time"],
      [String(runs.filter((card) => card.fitness?.verdict === "not_fit").length), "not fit for alerts", "neither faces nor motion"],
      [String(lost.length), "not analysed", lost.length ? "see below" : "", lost.length ? "warm" : ""],
    ];
    return h("header", { class: "overview" },
      h("h1", { tabindex: "-1" }, this.list.title),
      h("dl", { class: "tiles" }, tiles.map(([value, name, note, kind = ""]) => h("div", { class: `tile ${kind}` },
        h("dt", {}, name), h("dd", {}, name === "to review" && waiting ? h("a", { href: "#/alerts" }, value) : value), h("dd", { class: "quiet" }, note)))));
  }

  /** What the last batch could not analyse: damaged videos that are in the list were. */
  _lost() {
    const names = new Set(this.list.runs.map((card) => card.name));
    return this.list.failures.filter((failure) => failure.status !== "partial" || !names.has(failure.name));
  }

  _failures() {
    const failures = this._lost();
    if (!failures.length) return null;
    return h("section", { class: "panel" }, h("h2", {}, "Not analysed in the last batch"), h("table", {},
      h("thead", {}, h("tr", {}, ["video", "status", "reason"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, failures.map((failure) => h("tr", {}, h("td", {}, failure.name), h("td", {}, failure.status), h("td", {}, failure.reason))))));
  }
}

function usualDirection(column) {
  return COLUMNS.find(([name]) => name === column)[3];
}

function toReview(card) {
  return card.alerts ? card.alerts.alerts - card.alerts.reviewed : 0;
}

function alertsOf(card) {
  if (!card.alerts) return h("span", { class: "quiet" }, "no rules run");
  const { alerts, notices } = card.alerts;
  const waiting = toReview(card);
  return [
    alerts ? h("span", { class: waiting ? "badge hot" : "badge done" }, waiting ? `${waiting} to review` : `${alerts} reviewed`) : null,
    notices ? h("span", { class: "quiet" }, count(notices, "notice")) : null,
    alerts || notices ? null : h("span", { class: "quiet" }, "none"),
  ];
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sum(items, value) {
  return items.reduce((total, item) => total + value(item), 0);
}
