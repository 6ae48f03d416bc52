// A drawing surface with the calls of a canvas that writes SVG instead: what charts draw becomes a file of lines and text.

const STYLE = { fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, globalAlpha: 1, font: "12px sans-serif", textBaseline: "alphabetic", lineJoin: "miter" };
const BASELINES = { top: "text-before-edge", middle: "central", bottom: "text-after-edge", alphabetic: "alphabetic" };

export class SvgSurface {
  constructor(width, height) {
    Object.assign(this, STYLE);
    this.width = width;
    this.height = height;
    this.parts = [];
    this.defs = [];
    this.stack = [];
    this.path = "";
    this.dash = [];
    this.clipName = null;
    this.ruler = document.createElement("canvas").getContext("2d");
  }

  save() {
    this.stack.push({ ...Object.fromEntries(Object.keys(STYLE).map((name) => [name, this[name]])), dash: this.dash, clipName: this.clipName });
  }

  restore() {
    Object.assign(this, this.stack.pop());
  }

  beginPath() {
    this.path = "";
  }

  moveTo(x, y) {
    this.path += `M${round(x)} ${round(y)}`;
  }

  lineTo(x, y) {
    this.path += `${this.path ? "L" : "M"}${round(x)} ${round(y)}`;
  }

  closePath() {
    this.path += "Z";
  }

  rect(x, y, width, height) {
    this.path += `M${round(x)} ${round(y)}h${round(width)}v${round(height)}h${round(-width)}Z`;
  }

  roundRect(x, y, width, height) {
    this.rect(x, y, width, height);
  }

  clip() {
    this.clipName = `c${this.defs.push(this.path)}`;
  }

  setLineDash(dash) {
    this.dash = dash;
  }

  fill() {
    this._add(`<path d="${this.path}" fill="${escapeXml(this.fillStyle)}"`);
  }

  stroke() {
    const dash = this.dash.length ? ` stroke-dasharray="${this.dash.join(" ")}"` : "";
    this._add(`<path d="${this.path}" fill="none" stroke="${escapeXml(this.strokeStyle)}" stroke-width="${this.lineWidth}" stroke-linejoin="round"${dash}`);
  }

  fillRect(x, y, width, height) {
    this._add(`<rect x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, width))}" height="${round(Math.max(0, height))}" fill="${escapeXml(this.fillStyle)}"`);
  }

  measureText(text) {
    this.ruler.font = this.font;
    return this.ruler.measureText(text);
  }

  fillText(text, x, y) {
    const [, weight = "", size, family] = /^(?:(\d+) )?([\d.]+)px (.+)$/.exec(this.font) ?? [null, "", "12", "sans-serif"];
    const bold = weight ? ` font-weight="${weight}"` : "";
    this._add(`<text x="${round(x)}" y="${round(y)}" font-size="${size}" font-family="${escapeXml(family)}"${bold} fill="${escapeXml(this.fillStyle)}" dominant-baseline="${BASELINES[this.textBaseline]}"`, escapeXml(text));
  }

  /** The whole file. */
  text(title) {
    const clips = this.defs.map((path, i) => `<clipPath id="c${i + 1}"><path d="${path}"/></clipPath>`).join("");
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${this.width}" height="${this.height}" viewBox="0 0 ${this.width} ${this.height}"><title>${escapeXml(title)}</title><defs>${clips}</defs>${this.parts.join("\n")}</svg>\n`;
  }

  _add(start, content = null) {
    const faint = this.globalAlpha < 1 ? ` opacity="${round(this.globalAlpha)}"` : "";
    const clip = this.clipName ? ` clip-path="url(#${this.clipName})"` : "";
    this.parts.push(`${start}${faint}${clip}${content === null ? "/>" : `>${content}</text>`}`);
  }
}

function round(value) {
  return Math.round(value * 100) / 100;
}

function escapeXml(text) {
  return String(text).replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
