// Stills that the server makes in the background: a placeholder at once, the picture when it is there.
// What scrolls out of view is not asked for any more; at most two pictures are on their way at a time.

import { bytesOf } from "./columns.js";

const SKETCH_WIDTH = 32;
const ASK_EVERY_MS = 500;
const MOST_ON_THE_WAY = 2;
const MOST_AT_ONCE = 60;

export class PictureShelf {
  /**
   * `states(names)` says of each name whether it is ready, waiting or none, `address(name)` where it is, and
   * `sketches(names)` gives a few gray pixels of it.
   */
  constructor({ states, address, sketches }) {
    this.states = states;
    this.sketches = sketches;
    this.address = address;
    this.inView = new Set();
    this.ready = [];
    this.onTheWay = new Set();
    this.watcher = new IntersectionObserver((entries) => this._onView(entries), { rootMargin: "120px" });
  }

  /** A place for a picture: an element that shows it once it is made. */
  hang(image, name) {
    image.dataset.still = name;
    image.classList.add("waiting");
    this.watcher.observe(image);
    return image;
  }

  destroy() {
    this.isGone = true;
    this.watcher.disconnect();
    clearTimeout(this.timer);
    for (const image of this.onTheWay) image.removeAttribute("src");
    this.inView.clear();
  }

  _onView(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.inView.add(target);
      else {
        this.inView.delete(target);
        this.ready = this.ready.filter((image) => image !== target);
        if (this.onTheWay.delete(target)) target.removeAttribute("src");
      }
    }
    this._askSoon(0);
  }

  _askSoon(wait) {
    if (this.isGone || this.isAsking) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this._ask(), wait);
  }

  async _ask() {
    const images = [...this.inView].filter((image) => image.isConnected && image.classList.contains("waiting") && !this.onTheWay.has(image) && !this.ready.includes(image));
    if (!images.length) return;
    this.isAsking = true;
    let states = {};
    try {
      states = await this.states([...new Set(images.slice(0, MOST_AT_ONCE).map((image) => image.dataset.still))]);
    } catch {
      // The server is busy or has gone: asked again below.
    }
    this.isAsking = false;
    if (this.isGone) return;
    for (const image of images) {
      const state = states[image.dataset.still];
      if (state === "ready" && this.inView.has(image)) this.ready.push(image);
      if (state === "none") image.classList.replace("waiting", "missing");
    }
    this._load();
    this._sketch(images.filter((image) => states[image.dataset.still] === "waiting" && !image.dataset.sketched));
    if (images.some((image) => (states[image.dataset.still] ?? "waiting") === "waiting") || images.length > MOST_AT_ONCE) this._askSoon(ASK_EVERY_MS);
  }

  /** Shows what the analysis stored of a moment behind the picture that is still being made. */
  async _sketch(images) {
    if (!images.length) return;
    for (const image of images) image.dataset.sketched = "asked";
    const found = await this.sketches([...new Set(images.map((image) => image.dataset.still))]).catch(() => ({}));
    for (const image of images) {
      const pixels = found[image.dataset.still];
      if (!pixels || !image.classList.contains("waiting")) continue;
      image.style.backgroundImage = `url(${drawSketch(bytesOf(pixels))})`;
      image.style.backgroundSize = "cover";
      image.dataset.sketched = "shown";
    }
  }

  _load() {
    while (this.ready.length && this.onTheWay.size < MOST_ON_THE_WAY) {
      const image = this.ready.shift();
      this.onTheWay.add(image);
      const settle = (state) => () => {
        if (!this.onTheWay.delete(image)) return; // it was given up
        image.classList.replace("waiting", state);
        this.watcher.unobserve(image);
        this.inView.delete(image);
        this._load();
      };
      image.addEventListener("load", settle("here"), { once: true });
      image.addEventListener("error", settle("missing"), { once: true });
      image.src = this.address(image.dataset.still);
    }
  }
}

/** Gray pixels as the address of an image. */
function drawSketch(pixels) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [SKETCH_WIDTH, pixels.length / SKETCH_WIDTH];
  const image = new ImageData(canvas.width, canvas.height);
  pixels.forEach((level, i) => image.data.set([level, level, level, 255], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas.toDataURL();
}
