// The player: the video, boxes from the stored rows over it, and one clock for the page.
// A video that the browser cannot play comes as short clips; without any video the boxes move over an empty frame.

import { drawHeat } from "./motion.js";
import { ChunkStream } from "./chunks.js";
import { bytesOf } from "./columns.js";
import { clamp, clock, h } from "./dom.js";
import { leader, placeLabels } from "./labels.js";
import { fit } from "./paint.js";

const RATES = [0.25, 0.5, 1, 1.5, 2, 4];
const END_MARGIN_SECONDS = 0.02;

export class Player {
  /**
   * `media`: `{file, plays, clips: {url, seconds}}`, each part null when there are none. With a `leader` what is pressed
   * on the picture goes to its `toggle()` and `seek(seconds)`.
   */
  constructor(recording, media, { onTime, leader = null }) {
    this.recording = recording;
    this.media = media;
    this.onTime = onTime;
    this.leader = leader ?? this;
    this.time = 0;
    this.shown = 0;
    this.showBoxes = true;
    this.highlight = null;
    this.clip = -1;
    this.loop = null;
    this.mode = "none";
    this.video = h("video", { preload: "auto", playsinline: true, "aria-label": "Video of the run" });
    this.video.muted = false;
    this.overlay = h("canvas", { class: "overlay", "aria-hidden": "true" });
    this.message = h("p", { class: "message", hidden: true });
    this.stage = h("div", { class: "stage" }, this.video, this.overlay, this.message);
    const { width_px: width, height_px: height, pixel_aspect: aspect = 1 } = recording.content;
    this.stage.style.setProperty("--aspect", String((width * aspect) / height));
    this.controls = this._controls();
    this.element = h("div", { class: "player" }, h("div", { class: "screen" }, this.stage), this.controls);
    this._listen();
    if (media?.file && media.plays !== false) this._useFile(media.file);
    else if (media?.clips) this._useClips();
    else if (media?.stretches?.length) this._useStretches();
    else this._useNothing(media?.why ?? null);
  }

  get isPlaying() {
    return this.hasNoPicture ? this.ticking : !this.video.paused;
  }

  /** Whether the clock of the page runs by itself: without a video, or between the clips of a page that has some. */
  get hasNoPicture() {
    return this.mode === "none" || (this.mode === "stretches" && this.piece < 0);
  }

  /** Whether the picture of the moment is there, as far as there is one. */
  get isReady() {
    return this.hasNoPicture || (this.video.readyState >= 2 && !this.video.seeking);
  }

  /** Goes to a moment. */
  seek(seconds) {
    this.time = clamp(seconds, 0, this.recording.duration);
    this._place();
    this._tell();
  }

  step(seconds) {
    this.seek(this.time + seconds);
  }

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  play() {
    if (this.time >= this.recording.duration - END_MARGIN_SECONDS) this.seek(0);
    if (this.hasNoPicture) {
      this.ticking = true;
      this.lastTick = performance.now();
      requestAnimationFrame(() => this._tick());
      this._updateButton();
    } else {
      this.wantsPlay = true;
      this.video.play().catch(() => this._updateButton());
    }
  }

  pause() {
    this.ticking = false;
    this.wantsPlay = false;
    this.video.pause();
    this._updateButton();
  }

  destroy() {
    this.isGone = true;
    this.stream?.destroy();
    this.pause();
    this.video.removeAttribute("src");
    this.video.load();
    if (this.objectUrl) URL.revokeObjectURL(this.objectUrl);
  }

  /** Plays a file picked from the local disk. */
  useLocalFile(file) {
    if (this.objectUrl) URL.revokeObjectURL(this.objectUrl);
    this.objectUrl = URL.createObjectURL(file);
    this._useFile(this.objectUrl);
  }

  drawOverlay() {
    const { context, width, height } = fit(this.overlay);
    if (this.showHeat) drawHeat(context, this.recording.motion, this.shown, { width, height });
    if (!this.showBoxes) return;
    const { content } = this.recording;
    const scale = [width / content.width_px, height / content.height_px];
    const unit = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
    drawFaces(context, this.recording, this.recording.facesAt(this.shown), { scale, width, height, unit, highlight: this.highlight });
  }

  _useFile(address) {
    this.mode = "file";
    this.offset = 0;
    this._say(null);
    this.video.src = address;
    this._place();
  }

  /** Previews of the server, joined by the browser where it can. */
  _useClips(isJoined = ChunkStream.works) {
    this.stream?.destroy();
    this.stream = null;
    this.offset = 0;
    if (isJoined) {
      this.mode = "chunks";
      this.stream = new ChunkStream(this.video, this.media.clips, this.recording.duration, { say: (text) => this._say(text), fail: () => this._useClips(false) });
      return;
    }
    this.mode = "clips";
    this.clip = -1;
    this._place();
  }

  /** Clips that the page has within it or beside it: of the alerts only. */
  _useStretches() {
    this.mode = "stretches";
    this.piece = -1;
    this.video.removeAttribute("src");
    this._place();
  }

  _placeStretch() {
    const { stretches } = this.media;
    const wanted = stretches.findIndex((one) => one.start <= this.time + 1e-3 && this.time < one.end);
    if (wanted >= 0 && wanted !== this.piece) {
      const plays = this.isPlaying;
      [this.piece, this.offset, this.ticking] = [wanted, stretches[wanted].start, false];
      this.wantsPlay = plays;
      this._say(null);
      this.video.src = (stretches[wanted].address ??= mediaAddress(stretches[wanted]));
      return true;
    }
    if (wanted >= 0) return false;
    this.piece = -1;
    if (this.video.getAttribute("src")) {
      this.video.removeAttribute("src");
      this.video.load();
    }
    this.shown = this.time;
    const next = stretches.find((one) => one.start > this.time) ?? stretches[0];
    this._say("This page has clips of the alerts only. ", h("button", { type: "button", onclick: () => this.leader.seek(next.start) }, `Clip at ${clock(next.start)}`));
    return false;
  }

  _useNothing(words = null) {
    this.mode = "none";
    this.video.removeAttribute("src");
    if (this.recording.content.is_live) return this._say("Recorded live: no video was kept. Boxes and times are.");
    const pick = h("input", {
      type: "file", accept: "video/*,.mkv,.avi,.ts,.flv", class: "picker", "aria-label": "Video file to play",
      onchange: (event) => event.target.files[0] && this.useLocalFile(event.target.files[0]),
    });
    this._say(words ?? "The video is not beside this page. Boxes and times work without it; to see it, pick the file:", pick);
  }

  _say(...content) {
    this.stage.classList.toggle("empty", this.hasNoPicture);
    this.message.hidden = content[0] === null;
    this.message.replaceChildren(...content.filter((part) => part !== null));
  }

  /** Seeks the video to the clock. */
  _place() {
    if (this.mode === "clips") {
      const { seconds, url } = this.media.clips;
      const last = Math.max(0, Math.ceil(this.recording.duration / seconds) - 1);
      const wanted = clamp(Math.floor(this.time / seconds), 0, last);
      if (wanted !== this.clip) {
        this.clip = wanted;
        this.offset = wanted * seconds;
        this._say("Making a preview of these seconds …");
        this.video.src = `${url}${wanted}.mp4`;
        return; // placed once it is known how long the clip is
      }
    }
    if (this.mode === "stretches" && this._placeStretch()) return;
    if (this.hasNoPicture) this.shown = this.time;
    else if (this.video.readyState > 0) {
      const wanted = Math.max(0, this.time - this.offset);
      // One seek at a time: while the cursor is dragged the newest moment follows when the last one is there.
      if (Math.abs(this.video.currentTime - wanted) > 1e-3) {
        if (this.video.seeking) this.isBehind = true;
        else this.video.currentTime = wanted;
      }
    }
    this.drawOverlay();
  }

  _listen() {
    const { video } = this;
    video.addEventListener("loadedmetadata", () => {
      if (video.videoWidth) this.stage.style.setProperty("--aspect", String(video.videoWidth / video.videoHeight));
      if (this.mode !== "chunks") this._say(null);
      if (this.mode === "file") this.offset = -this._start();
      this._place();
      if (this.wantsPlay) video.play().catch(() => this._updateButton());
      this._askForNext();
    });
    video.addEventListener("play", () => this._askForNext());
    video.addEventListener("seeked", () => {
      if (this.isBehind) {
        this.isBehind = false;
        this._place();
      }
      this.shown = this.offset + video.currentTime;
      this.drawOverlay();
    });
    video.addEventListener("ended", () => {
      if (this.mode === "stretches") {
        this.seek(this.media.stretches[this.piece].end);
        this.play();
        return;
      }
      const next = this.mode === "clips" ? (this.clip + 1) * this.media.clips.seconds : Infinity;
      if (next < this.recording.duration) this.seek(next);
      else this.wantsPlay = false;
      this._updateButton();
    });
    video.addEventListener("error", () => this._fail());
    for (const name of ["play", "pause"]) video.addEventListener(name, () => this._updateButton());
    video.addEventListener("click", () => this.leader.toggle());
    if ("requestVideoFrameCallback" in video) {
      const onFrame = (_now, frame) => {
        if (this.isGone) return;
        this._follow(this.offset + frame.mediaTime);
        video.requestVideoFrameCallback(onFrame);
      };
      video.requestVideoFrameCallback(onFrame);
    } else {
      video.addEventListener("timeupdate", () => this._follow(this.offset + video.currentTime));
    }
    new ResizeObserver(() => this.drawOverlay()).observe(this.stage);
  }

  // Decision REV-5.
  /**
   * The browser's clock at the zero of the run's clock. A file may begin late; browsers that keep its own
   * times then state a length that includes the start.
   */
  _start() {
    const { duration_s: length, start_time_s: start } = this.recording.content;
    const stated = this.video.duration;
    return Math.abs(stated - length - start) < Math.abs(stated - length) ? start : 0;
  }

  /** While a clip plays the next one is made, so that it is there in time. */
  _askForNext() {
    if (this.mode !== "clips" || !this.wantsPlay) return;
    const { seconds, url } = this.media.clips;
    const next = this.clip + 1;
    if (next * seconds < this.recording.duration && next !== this.asked) {
      this.asked = next;
      fetch(`${url}${next}.mp4`, { method: "HEAD" }).catch(() => {});
    }
  }

  /** A frame came on the screen. While playing it sets the clock; a seek keeps the moment that was asked for. */
  _follow(seconds) {
    this.shown = seconds;
    if (!this.video.paused && !this.video.seeking) {
      this.time = clamp(seconds, 0, this.recording.duration);
      if (this._loops()) return;
    }
    this.drawOverlay();
    this._tell();
  }

  _fail() {
    if (!this.video.getAttribute("src")) return;
    const { codec } = this.recording.content;
    if (this.mode === "file" && this.media?.clips) this._useClips();
    else if (this.mode === "file" && this.media?.stretches?.length) this._useStretches();
    else if (this.mode === "chunks") this._useClips(false);
    else if (this.mode === "clips") this._useNothing("No preview of these seconds could be made; the terminal of fervid serve says why.");
    else if (this.media?.file) this._useNothing(`The video (${codec}) is not where this page looks for it, or this browser cannot play it. Pick the file, or use fervid serve, which makes previews:`);
    else this._useNothing(`This browser cannot play the file. fervid serve makes previews of every video:`);
  }

  _tick() {
    if (!this.ticking || this.isGone) return;
    const now = performance.now();
    this.time += ((now - this.lastTick) / 1000) * this.video.playbackRate;
    this.lastTick = now;
    this._loops();
    if (this.mode === "stretches" && this._placeStretch()) return;
    if (this.time >= this.recording.duration) {
      this.time = this.recording.duration;
      this.ticking = false;
      this._updateButton();
    }
    this.shown = this.time;
    this.drawOverlay();
    this._tell();
    requestAnimationFrame(() => this._tick());
  }

  /** Back to the begin of the stretch that is played again and again; true when it was at its end. */
  _loops() {
    if (!this.loop || this.time < this.loop[1]) return false;
    this.seek(this.loop[0]);
    return true;
  }

  _tell() {
    this.readout.textContent = `${clock(this.time)} / ${clock(this.recording.duration)}`;
    this.onTime(this.time);
  }

  _controls() {
    this.readout = h("span", { class: "time", role: "timer", "aria-label": "Time" }, `00:00.0 / ${clock(this.recording.duration)}`);
    this.button = h("button", { type: "button", class: "primary", onclick: () => this.toggle() }, "▶ Play");
    this.boxesButton = h("button", { type: "button", "aria-pressed": "true", onclick: () => this.toggleBoxes() }, "Boxes");
    const heat = this.recording.motion ? h("button", { type: "button", "aria-pressed": "false", onclick: (event) => this._toggleHeat(event.currentTarget) }, "Motion") : null;
    const rate = h("select", { "aria-label": "Speed", onchange: (event) => this.setRate(Number(event.target.value)) },
      RATES.map((value) => h("option", { value, selected: value === 1 }, `${value}×`)));
    const sound = h("button", { type: "button", "aria-pressed": "true", onclick: (event) => {
      this.video.muted = !this.video.muted;
      event.currentTarget.setAttribute("aria-pressed", String(!this.video.muted));
    } }, "Sound");
    const full = h("button", { type: "button", onclick: () => this._fullScreen() }, "Full screen");
    return h("div", { class: "controls", role: "group", "aria-label": "Player" }, this.button, this.readout,
      h("span", { class: "gap" }), rate, sound, this.boxesButton, heat, full);
  }

  /** Shows or hides where the image moves. */
  _toggleHeat(button) {
    this.showHeat = !this.showHeat;
    button.setAttribute("aria-pressed", String(this.showHeat));
    this.drawOverlay();
  }

  toggleBoxes() {
    this.showBoxes = !this.showBoxes;
    this.boxesButton.setAttribute("aria-pressed", String(this.showBoxes));
    this.drawOverlay();
  }

  setRate(rate) {
    this.video.playbackRate = rate;
    this.video.defaultPlaybackRate = rate;
  }

  _fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.stage.requestFullscreen?.().catch(() => {});
  }

  _updateButton() {
    this.button.textContent = this.isPlaying ? "❚❚ Pause" : "▶ Play";
  }
}

/** The address of a clip that is within the page, or beside it. */
function mediaAddress({ element, url }) {
  if (url) return url;
  return URL.createObjectURL(new Blob([bytesOf(document.getElementById(element).textContent)], { type: "video/mp4" }));
}

/** Boxes in the colour of how faces look, dashed where the label should not be used; words beside them, never over a face. */
function drawFaces(context, recording, faces, { scale: [sx, sy], width, height, unit, highlight }) {
  const size = 0.8125 * unit;
  context.font = `600 ${size}px system-ui, sans-serif`;
  const shown = faces.map(({ track, face, box }) => {
    const reason = recording.reason(face);
    const isUsable = recording.isUsable(face);
    const label = recording.labels[recording.best[face]];
    const words = isUsable ? `looks ${label} ${recording.confidence(face).toFixed(2)}${reason ? ", unsure" : ""}` : `not used: ${reason.words}`;
    const texts = [`${words} · ${track.id}`, `${isUsable ? label : "not used"} · ${track.id}`, String(track.id)];
    return {
      box: [box[0] * sx, box[1] * sy, box[2] * sx, box[3] * sy], texts, reason, colour: isUsable ? recording.colours[label] : "#bbbbbb",
      isMarked: highlight !== null && highlight.includes(track.id),
      sizes: texts.map((text) => [context.measureText(text).width + size + 10, 1.6 * size]),
    };
  });
  for (const one of shown) drawBox(context, one);
  const places = placeLabels(shown, { width, height });
  shown.forEach((one, i) => places[i] && drawLabel(context, one, places[i], size));
}

function drawBox(context, { box: [x, y, w, tall], reason, colour, isMarked }) {
  context.lineJoin = "round";
  context.setLineDash(reason ? [6, 4] : []);
  for (const [line, stroke] of [[isMarked ? 7 : 5, "rgba(0, 0, 0, .65)"], [isMarked ? 4 : 2.5, colour]]) {
    context.lineWidth = line;
    context.strokeStyle = stroke;
    context.beginPath();
    context.roundRect(x, y, w, tall, 6);
    context.stroke();
  }
  context.setLineDash([]);
}

function drawLabel(context, { box: [x, y, w, tall], texts, sizes, colour }, place, size) {
  const [wide, high] = sizes[place.form];
  if (!place.isBeside) {
    const [x1, y1, x2, y2] = leader({ x: place.x, y: place.y, w: wide, h: high }, { x, y, w, h: tall });
    for (const [line, stroke] of [[3.5, "rgba(0, 0, 0, .65)"], [1.5, colour]]) {
      context.lineWidth = line;
      context.strokeStyle = stroke;
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
    }
  }
  context.fillStyle = "rgba(12, 14, 18, .82)";
  context.beginPath();
  context.roundRect(place.x, place.y, wide, high, 4);
  context.fill();
  context.fillStyle = colour;
  context.fillRect(place.x + 5, place.y + 0.5 * size, 0.6 * size, 0.6 * size);
  context.fillStyle = "#ffffff";
  context.textBaseline = "middle";
  context.fillText(texts[place.form], place.x + size + 4, place.y + 0.83 * size);
}
