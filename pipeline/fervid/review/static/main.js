// The page: which view is shown, theme, keys, help.

import { AddressKeeper, readAddress } from "./address.js";
import { openCarrier } from "./carrier.js";
import { CompareView } from "./compare.js";
import { announce, fill, forgetColours, h, isTyping } from "./dom.js";
import { ListView } from "./listview.js";
import { MomentsView } from "./moments.js";
import { NameKeeper } from "./people.js";
import { PictureShelf } from "./pictures.js";
import { QueueView } from "./queue.js";
import { RunView } from "./runview.js";

const THEME = "fervid-theme";
const BACK = { list: "← all videos", alerts: "← all alerts", moments: "← strongest moments", compare: "← side by side" };
const PAGES = [["list", "#/", "Videos"], ["alerts", "#/alerts", "Alerts"], ["moments", "#/moments", "Moments"], ["compare", "#/compare", "Side by side"]];
const KEYS = [
  ["a", "alerts of all videos"], ["v", "all videos"], ["m", "strongest moments of all videos"], ["c", "videos side by side; of a run or a row, beside others"],
  ["space", "play or pause"], ["j  k", "next, previous alert"], ["t  f  u", "verdict about the alert: true, false, unsure"],
  ["z", "undo the last verdict (alerts)"], ["x", "select (alerts); Ctrl A all"], ["0", "the 10 strongest (alerts)"], ["s  g", "order by score, group repeats (alerts)"],
  ["←  →", "1 s back, forward; with shift 10 s"], [",  .", "one analysed frame back, forward"], ["Home  End", "begin, end"],
  ["+  −", "zoom the timeline"], ["PgUp  PgDn", "move the timeline"], ["[  ]", "begin, end of the selection at the cursor"],
  ["l", "play the selection again and again"], ["Esc", "clear the selection"], ["p", "peaks per expression"], ["g", "go to a time"],
  ["b", "boxes on, off"], ["/", "search (list)"], ["?", "this help"],
];

class Page {
  constructor() {
    this.carrier = openCarrier();
    this.place = document.getElementById("view");
    this.view = null;
    this.names = new NameKeeper();
    this.keeper = new AddressKeeper();
    this._hideToken();
    this._theme(stored(THEME));
    this._header();
    addEventListener("hashchange", (event) => {
      const left = new URL(event.oldURL).hash;
      const { view } = readAddress(left);
      if (BACK[view]) this.back = [left, BACK[view]];
      this.keeper.drop();
      this.show();
    });
    addEventListener("keydown", (event) => this._onKey(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      forgetColours();
      this.view?.redraw();
    });
    this.carrier.onSaved = () => {
      this.names.askOnce();
      this._updateDownload();
    };
    this.carrier.listen((change) => this._refresh(change));
  }

  async show() {
    const wanted = readAddress();
    const hash = location.hash;
    this.place.setAttribute("aria-busy", "true");
    try {
      const single = await this.carrier.onlyRun();
      const id = wanted.id ?? single;
      if (single === null) this._drawPages(wanted.view);
      if (id) await this._showRun(id, wanted.at, single === null);
      else if (wanted.view === "alerts") await this._showAlerts(wanted.options);
      else if (wanted.view === "moments" && this.carrier.isServed) await this._showMoments(wanted.options);
      else if (wanted.view === "compare") await this._showCompare(wanted.options);
      else await this._showList(wanted.options);
    } catch (problem) {
      if (hash === location.hash) this._replace(null, h("section", { class: "panel" }, h("h1", { tabindex: "-1" }, "This cannot be shown"), h("p", {}, String(problem.message ?? problem))));
    }
    this.place.removeAttribute("aria-busy");
    document.body.dataset.ready = "true";
  }

  async _showList(options) {
    const list = await this.carrier.list();
    if (readAddress().view !== "list") return;
    document.title = `${list.title} – fervid`;
    this.names.know(list.account);
    const view = new ListView(list, this.carrier, list.colours, { keeper: this.keeper, shelf: this._shelf(), options });
    this._replace(view, view.element);
    view.focus();
  }

  async _showAlerts(options) {
    const list = await this.carrier.alerts();
    if (readAddress().view !== "alerts") return;
    document.title = "Alerts – fervid";
    this.names.know(list.account);
    const view = new QueueView(list, { carrier: this.carrier, keeper: this.keeper, names: this.names, shelf: this._shelf(), options });
    this._replace(view, view.element);
    view.focus();
  }

  async _showMoments(options) {
    const list = await this.carrier.list();
    if (readAddress().view !== "moments") return;
    document.title = "Moments – fervid";
    const view = new MomentsView(list, { carrier: this.carrier, keeper: this.keeper, shelf: this._shelf(), options });
    this._replace(view, view.element);
    view.focus();
  }

  async _showCompare(options) {
    const list = await this.carrier.list();
    const view = await CompareView.open(list, { carrier: this.carrier, keeper: this.keeper, options });
    if (readAddress().view !== "compare") return view.destroy();
    document.title = "Side by side – fervid";
    this._replace(view, view.element);
    view.redraw();
    view.focus();
  }

  async _showRun(id, begin, hasList) {
    const content = await this.carrier.run(id);
    if (!content) throw new Error("This run is not on the page.");
    const wanted = readAddress();
    if (hasList && wanted.id !== id) return; // somebody went on meanwhile
    document.title = `${content.name} – fervid`;
    this.names.know(content.account);
    const [address, words] = this.back ?? ["#/", "← all videos"];
    const back = hasList ? h("a", { class: "back", href: address }, words) : null;
    const view = await RunView.open(content, this.carrier, id, { begin, backLink: back });
    view.onVerdict = () => this._updateDownload();
    // After Back the view stays until the next one is there, but the address is that one's already.
    view.onMoment = (moment) => this.view === view && readAddress().id === id && history.replaceState(history.state, "", moment);
    this._replace(view, view.element);
    view.redraw();
    view.focus();
  }

  /** Something came from elsewhere: the view of now takes it without losing its place. */
  async _refresh(change) {
    const { view } = this;
    if (view instanceof ListView) {
      const list = await this.carrier.list();
      if (view === this.view) view.refresh(list);
    } else if (view instanceof QueueView) {
      await view.saving;
      const asked = performance.now();
      const list = await this.carrier.alerts();
      if (view === this.view) view.refresh(list, asked);
    } else if (view instanceof RunView && change.runs.includes(view.id)) {
      const { alerts } = await this.carrier.alerts();
      if (view === this.view) view.alerts.take(alerts.filter((alert) => alert.run === view.id));
    }
  }

  _shelf() {
    this.shelf?.destroy();
    const { carrier } = this;
    this.shelf = new PictureShelf({ states: (names) => carrier.pictureStates(names), address: (name) => carrier.pictureAddress(name), sketches: (names) => carrier.sketches(names) });
    return this.shelf;
  }

  _drawPages(current) {
    fill(document.getElementById("pages"), PAGES.filter(([name]) => name !== "moments" || this.carrier.isServed).map(([name, address, words]) => h("a", { href: address, "aria-current": name === current ? "page" : null }, words)));
  }

  _replace(view, element) {
    this.view?.destroy();
    this.view = view;
    fill(this.place, element);
    scrollTo(0, this.keeper.place);
    this._updateDownload();
  }

  _onKey(event) {
    if (event.key === "?" && !isTyping(event.target)) this.help.showModal();
    else if (this.help.open || !(this.view?.onKey(event) || this._goTo(event))) return;
    event.preventDefault();
  }

  /** The keys that lead to another page. */
  _goTo(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target) || !document.getElementById("pages").children.length) return false;
    const page = { a: "#/alerts", v: "#/", m: this.carrier.isServed ? "#/moments" : null, c: this.view?.compareAddress ?? "#/compare" }[event.key];
    if (!page) return false;
    this.keeper.flush();
    location.hash = page;
    return true;
  }

  _header() {
    this.themeButton = h("button", { type: "button", onclick: () => this._nextTheme() });
    this.downloadButton = h("button", { type: "button", class: "primary", hidden: true, onclick: () => this.carrier.download() });
    this.help = h("dialog", { "aria-labelledby": "help-title" }, h("h2", { id: "help-title" }, "Keys"),
      h("dl", { class: "keys" }, KEYS.map(([keys, what]) => [h("dt", {}, keys.split("  ").map((key) => h("kbd", {}, key))), h("dd", {}, what)])),
      h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")));
    document.getElementById("tools").append(this.downloadButton, this.names.button, this.themeButton,
      h("button", { type: "button", onclick: () => this.help.showModal(), "aria-keyshortcuts": "?" }, "Keys"));
    document.body.append(this.help);
    this.place.before(this.names.form);
    this._nameTheme();
  }

  _updateDownload() {
    const { count = 0, isServed } = this.carrier;
    this.downloadButton.hidden = isServed || count === 0;
    this.downloadButton.textContent = `Download ${count} verdict${count === 1 ? "" : "s"}`;
  }

  _theme(name) {
    this.theme = ["light", "dark"].includes(name) ? name : "auto";
    if (this.theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
    forgetColours();
  }

  _nextTheme() {
    const order = ["auto", "light", "dark"];
    this._theme(order[(order.indexOf(this.theme) + 1) % order.length]);
    try {
      localStorage.setItem(THEME, this.theme);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    this._nameTheme();
    announce(`Theme: ${this.theme}`);
    this.view?.redraw();
  }

  _nameTheme() {
    this.themeButton.textContent = `Theme: ${this.theme}`;
  }

  /** The token has done its work once the cookie is set; it has no place in the history or on a screenshot. */
  _hideToken() {
    if (location.search) history.replaceState(history.state, "", location.pathname + location.hash);
  }
}

function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

new Page().show();
