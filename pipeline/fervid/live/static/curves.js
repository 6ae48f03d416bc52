// The last minute as curves: a line per expression, of one face or the mean of all faces.

const SPAN_SECONDS = 60;
const GAP_SECONDS = 1.5; // a line is not drawn across a longer stretch without a face
const DRAWN_EVERY_MS = 100;

/** The probability that decides the label: read out over time where the view does so, else smoothed. */
export const answerOf = (face, label) => face[`r_${label}`] ?? face[`s_${label}`];

export class Curves {
  constructor(canvas, legend, whose, colours) {
    Object.assign(this, { canvas, legend, whose, colours, labels: Object.keys(colours) });
    this.frames = [];
    this.alerts = [];
    this.paused = false;
    this.drawn = 0;
    this.cursor = null;
    this.whose.append(new Option("Mean of all faces", "mean"));
    this.values = this.labels.map((label) => {
      const item = legend.appendChild(document.createElement("li"));
      item.appendChild(document.createElement("i")).style.background = colours[label];
      item.append(`${label} `);
      return item.appendChild(document.createElement("span"));
    });
    this.whose.addEventListener("change", () => this.draw());
    canvas.addEventListener("pointermove", (event) => {
      this.cursor = event.offsetX;
      this.draw();
    });
    canvas.addEventListener("pointerleave", () => {
      this.cursor = null;
      this.draw();
    });
    addEventListener("resize", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  add(row) {
    const last = this.frames.at(-1);
    if (last && row.time_s < last.seconds) this.frames = [];
    const of = new Map(row.faces.map((face) => [face.track_id, this.labels.map((label) => answerOf(face, label))]));
    this.frames.push({ seconds: row.time_s, of });
    while (this.frames[0].seconds < row.time_s - SPAN_SECONDS) this.frames.shift();
    if (this.paused || performance.now() - this.drawn < DRAWN_EVERY_MS || document.hidden) return;
    this.offer();
    this.draw();
  }

  mark(seconds) {
    this.alerts.push(seconds);
  }

  // Faces of the last minute can be chosen; the chosen one stays, so that the choice does not change by itself.
  offer() {
    const ids = new Set(this.frames.flatMap((frame) => [...frame.of.keys()].map(String)));
    for (const option of [...this.whose.options]) {
      if (option.value !== "mean" && !ids.delete(option.value) && !option.selected) option.remove();
    }
    for (const id of ids) this.whose.append(new Option(`#${id}`, id));
  }

  at(frame) {
    if (this.whose.value !== "mean") return frame.of.get(Number(this.whose.value));
    const all = [...frame.of.values()];
    return all.length ? this.labels.map((_, i) => all.reduce((sum, one) => sum + one[i], 0) / all.length) : undefined;
  }

  draw() {
    this.drawn = performance.now();
    const frames = this.paused ? this.held : this.frames;
    const { width, height } = this.canvas.getBoundingClientRect();
    const scale = devicePixelRatio;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
    }
    const pen = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const [left, right, top, bottom] = [34, width - 8, 8, height - 22];
    const end = frames.at(-1)?.seconds ?? 0;
    const x = (seconds) => right - ((end - seconds) / SPAN_SECONDS) * (right - left);
    const y = (share) => bottom - share * (bottom - top);
    pen.font = "12px system-ui, sans-serif";
    pen.fillStyle = colour("--quiet");
    pen.strokeStyle = colour("--grid");
    pen.lineWidth = 1;
    const line = (x0, y0, x1, y1) => {
      pen.beginPath();
      pen.moveTo(x0, y0);
      pen.lineTo(x1, y1);
      pen.stroke();
    };
    pen.textAlign = "right";
    for (const share of [0, 0.5, 1]) {
      line(left, y(share), right, y(share));
      pen.fillText(share.toFixed(1), left - 6, y(share) + 4);
    }
    pen.textAlign = "center";
    for (const ago of [60, 45, 30, 15, 0]) {
      line(x(end - ago), top, x(end - ago), bottom);
      pen.textAlign = ago ? "center" : "right";
      pen.fillText(ago ? `-${ago} s` : "now", x(end - ago), height - 6);
    }
    pen.strokeStyle = colour("--alert");
    pen.lineWidth = 2;
    for (const seconds of this.alerts) if (seconds > end - SPAN_SECONDS && seconds <= end) line(x(seconds), top, x(seconds), bottom);
    this.lines(pen, frames, x, y);
    this.tell(pen, frames, x, colour("--ink"), [left, right, top, bottom]);
  }

  lines(pen, frames, x, y) {
    const values = frames.map((frame) => this.at(frame));
    pen.lineJoin = "round";
    this.labels.forEach((label, i) => {
      pen.strokeStyle = this.colours[label];
      pen.beginPath();
      let before = -Infinity;
      frames.forEach((frame, k) => {
        if (!values[k]) return;
        const point = [x(frame.seconds), y(values[k][i])];
        if (frame.seconds - before > GAP_SECONDS) pen.moveTo(...point);
        else pen.lineTo(...point);
        before = frame.seconds;
      });
      pen.stroke();
    });
  }

  // The legend has the values under the pointer, else the newest ones.
  tell(pen, frames, x, ink, [left, right, top, bottom]) {
    let frame = frames.at(-1);
    if (this.cursor !== null && this.cursor >= left && this.cursor <= right && frame) {
      frame = frames.reduce((best, one) => (Math.abs(x(one.seconds) - this.cursor) < Math.abs(x(best.seconds) - this.cursor) ? one : best));
      pen.fillStyle = ink;
      pen.fillRect(x(frame.seconds), top, 1, bottom - top);
    }
    const values = frame && this.at(frame);
    this.values.forEach((value, i) => {
      value.textContent = values ? values[i].toFixed(2) : "–";
    });
  }

  pause(isPaused) {
    this.paused = isPaused;
    this.held = [...this.frames];
    this.draw();
  }
}
