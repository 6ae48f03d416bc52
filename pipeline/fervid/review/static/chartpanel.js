// The panel of charts: which faces, expressions and scores are drawn, their values at the cursor, the selection.

import { MEAN, KIND_WORDS, Series } from "./series.js";
import { CurveRow, StackRow } from "./curves.js";
import { announce, clock, fill, h, span, themeColour } from "./dom.js";
import { Overview } from "./overview.js";
import { AlertsRow, frameRows, TracksRow, UseRow } from "./rows.js";
import { SvgSurface } from "./svg.js";
import { Timeline } from "./timeline.js";

const MOST_LISTED = 200;
const FILE_WIDTH = 1600;

export class ChartPanel {
  /** `fetchScores` and `fetchStretch` as in Series, null where nobody can be asked; `onSeek`, `onSelect` as in Timeline. */
  constructor(recording, { fetchScores, fetchStretch, onSeek, onSelect }) {
    this.recording = recording;
    this.series = new Series(recording, fetchScores, fetchStretch);
    this.only = new Set();
    this.subjects = [MEAN];
    this.isStacked = false;
    this.scoreRow = null;
    this.alerts = new AlertsRow();
    this.use = new UseRow(recording);
    this.tracks = new TracksRow(recording);
    this.timeline = new Timeline(recording, {
      onSeek,
      onSelect: (range) => {
        this._drawSelection();
        onSelect(range);
      },
      onView: (view) => this.overview.show(view),
    });
    this.overview = new Overview(recording, {
      onShow: (from, length) => {
        this.timeline.show(from, length);
        this.timeline.follows = this.timeline.time >= this.timeline.view[0] && this.timeline.time <= this.timeline.view[1];
      },
    });
    this.legend = h("div", { role: "group", "aria-label": "Show these expressions only", class: "swatches" });
    this.faces = h("div", { class: "subjects", role: "group", "aria-label": "Faces whose curves are shown" });
    this.actions = h("span", { class: "selection-actions" });
    this.selection = h("div", { class: "selection", role: "group", "aria-label": "Selection", hidden: true }, h("span", { class: "selection-words" }), this.actions);
    this.element = h("section", { class: "panel charts", "aria-label": "Timeline" },
      h("div", { class: "legend" }, h("h2", {}, "How faces look over time"), this.legend),
      h("div", { class: "chart-tools" }, this.faces, this._choices()),
      this.overview.element, this.timeline.element, this.selection);
    this._drawLegend();
    this._drawSubjects();
    this._setRows();
  }

  setAlerts(alerts, current, change = null) {
    this.alerts.set(alerts, current, change);
    this.overview.set(alerts);
    this.timeline.draw();
  }

  /** Shows or hides the score of a rule. */
  setScore(row) {
    this.scoreRow = row;
    this._setRows();
  }

  setTime(seconds) {
    this.timeline.setTime(seconds);
  }

  redraw() {
    this.overview.redraw();
    this.timeline.draw();
  }

  /** Adds or removes the curves of a track. */
  toggleTrack(id) {
    if (this.subjects.includes(id)) this.subjects = this.subjects.filter((one) => one !== id);
    else this.subjects = [...(this.subjects.length === 1 && this.subjects[0] === MEAN ? [] : this.subjects), id];
    if (!this.subjects.length) this.subjects = [MEAN];
    this._changeSubjects();
  }

  isShown(id) {
    return this.subjects.includes(id);
  }

  /** A button for what can be done with a selection, for other parts of the page. */
  addAction(element) {
    this.actions.append(element);
  }

  /** The charts as they are now, as a PNG or SVG file. */
  async file(kind) {
    const height = this.timeline.height + 34;
    const draw = (context, width) => {
      context.fillStyle = themeColour("--paper");
      context.fillRect(0, 0, width, height);
      context.font = "600 13px system-ui, sans-serif";
      context.fillStyle = themeColour("--ink");
      context.textBaseline = "middle";
      context.fillText(this._title(), 6, 16);
    };
    if (kind === "svg") {
      const surface = new SvgSurface(FILE_WIDTH, height);
      draw(surface, FILE_WIDTH);
      const inner = new SvgSurface(FILE_WIDTH, height);
      this.timeline.paint(inner, FILE_WIDTH);
      surface.defs = inner.defs;
      surface.parts.push(`<g transform="translate(0 30)">${inner.parts.join("\n")}</g>`);
      return new Blob([surface.text(this._title())], { type: "image/svg+xml" });
    }
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * FILE_WIDTH, Math.round(2 * height)];
    const context = canvas.getContext("2d");
    context.setTransform(2, 0, 0, 2, 0, 0);
    draw(context, FILE_WIDTH);
    context.setTransform(2, 0, 0, 2, 0, 60);
    this.timeline.paint(context, FILE_WIDTH);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  _title() {
    const { content } = this.recording;
    const [from, to] = this.timeline.view;
    const labels = this.only.size ? [...this.only].map((c) => this.recording.labels[c]).join(", ") : "all expressions";
    return `${content.name}, ${this.timeline.timeText(from)} to ${this.timeline.timeText(to)}, ${labels}, ${this.series.kind}; how faces look, not what a person feels`;
  }

  _setRows() {
    const curves = this.isStacked && this.subjects.includes(MEAN)
      ? [new StackRow(this.recording, this.series), ...this.subjects.filter((id) => id !== MEAN).map((id) => new CurveRow(this.recording, this.series, id))]
      : this.subjects.map((id) => new CurveRow(this.recording, this.series, id));
    for (const row of curves) Object.assign(row, { only: this.only, onFine: () => this.timeline.draw() });
    this.tracks.only = this.only;
    if (this.scoreRow) this.scoreRow.subjects = this.subjects.filter((id) => id !== MEAN);
    this.timeline.setRows([this.alerts, ...curves, this.scoreRow, this.use, ...frameRows(this.recording), this.tracks]);
    this.drawValues();
  }

  _choices() {
    const { series } = this;
    const kind = series.kinds.length < 2 ? null : h("select", { "aria-label": "Scores that are drawn", onchange: (event) => this._setKind(event.target) },
      series.kinds.map((name) => h("option", { value: name, selected: name === series.kind }, KIND_WORDS[name])));
    const style = h("select", { "aria-label": "How the mean is drawn", onchange: (event) => {
      this.isStacked = event.target.value === "stack";
      this._setRows();
    } }, [["lines", "lines"], ["stack", "stacked"]].map(([value, text]) => h("option", { value }, text)));
    return h("div", { class: "group" }, kind, style);
  }

  async _setKind(select) {
    const wanted = select.value;
    select.disabled = true;
    try {
      await this.series.setKind(wanted);
      announce(`Curves ${KIND_WORDS[wanted]}`);
    } catch (problem) {
      announce(`Not shown: ${problem.message}`);
      select.value = this.series.kind;
    }
    select.disabled = false;
    this._setRows();
  }

  _drawLegend() {
    const { labels, colours } = this.recording;
    this.values = labels.map(() => h("span", { class: "value" }));
    fill(this.legend, labels.map((label, c) => h("button", {
      type: "button", class: "swatch", "aria-pressed": String(this.only.has(c)),
      onclick: (event) => {
        if (this.only.has(c)) this.only.delete(c);
        else this.only.add(c);
        event.currentTarget.setAttribute("aria-pressed", String(this.only.has(c)));
        this.timeline.draw();
      },
    }, colourDot(colours[label]), label, " ", this.values[c])));
  }

  /** Values at the cursor, one per shown face, in the order of the rows. */
  drawValues() {
    const found = this.subjects.map((id) => this.series.at(id, this.timeline.time));
    this.values.forEach((element, c) => {
      const text = found.map((values) => (values ? values[c].toFixed(2) : "–")).join(" | ");
      if (element.textContent !== text) element.textContent = text;
    });
  }

  _changeSubjects() {
    this._drawSubjects();
    this._setRows();
    this.onSubjects?.();
    announce(`Curves of ${this.subjects.map((id) => (id === MEAN ? "the mean of faces" : `track ${id}`)).join(", ")}`);
  }

  _drawSubjects() {
    const { tracks, labels } = this.recording;
    const chips = this.subjects.map((id) => h("button", {
      type: "button", class: "chip", "aria-label": `Hide ${id === MEAN ? "the mean of faces" : `track ${id}`}`, disabled: this.subjects.length === 1 && id === MEAN,
      onclick: () => this.toggleTrack(id),
    }, id === MEAN ? "mean of faces" : `track ${id}`, this.subjects.length === 1 && id === MEAN ? null : " ×"));
    const longest = [...tracks].sort((a, b) => b.stop - b.start - (a.stop - a.start)).slice(0, MOST_LISTED).sort((a, b) => a.id - b.id);
    const others = [[MEAN, "mean of faces"], ...longest.map((track) => [track.id, `track ${track.id}, ${clock(track.start, 0)} to ${clock(track.stop, 0)}, mostly ${labels[track.label]}`])]
      .filter(([id]) => !this.subjects.includes(id));
    const add = others.length ? h("select", { "aria-label": "Compare with another face", class: "add", onchange: (event) => {
      if (event.target.value === MEAN) {
        this.subjects = [MEAN, ...this.subjects];
        this._changeSubjects();
      } else if (event.target.value) {
        this.subjects = [...this.subjects, Number(event.target.value)];
        this._changeSubjects();
      }
    } }, h("option", { value: "" }, "compare with …"), others.map(([id, text]) => h("option", { value: String(id) }, text))) : null;
    fill(this.faces, chips, add);
  }

  _drawSelection() {
    const range = this.timeline.selection;
    this.selection.hidden = range === null;
    if (range) this.selection.firstChild.textContent = `Selected ${this.timeline.timeText(range[0])} to ${this.timeline.timeText(range[1])}, ${span(range[1] - range[0])}`;
  }
}

export function colourDot(colour) {
  const element = h("span", { class: "dot", "aria-hidden": "true" });
  element.style.background = colour;
  return element;
}
