// The player: the video, boxes from the stored rows over it, and one clock for the page.
// A video that the browser cannot play comes as short clips; without any video the boxes move over an empty frame.

import { ChunkStream } from "./chunks.js";
import { bytesOf } from "./columns.js";
import { clamp, clock, h } from "./dom.js";
import { controlsOf } from "./controls.js";
import { drawFaces } from "./faceboxes.js";
import { drawHeat } from "./motion.js";
import { fit } from "./paint.js";

const END_MARGIN_SECONDS = 0.02;
const SEEK_EVERY_MS = 100; // each seek costs the browser a request and a decoded group of pictures

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
    Object.assign(this, controlsOf(this));
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

  /** Goes to a moment; with `isDragged` others will follow, of which the picture shows a few a second. */
  seek(seconds, isDragged = false) {
    this.time = clamp(seconds, 0, this.recording.duration);
    this.isDragged = isDragged;
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

  /** Draws the boxes with the next frame of the screen, however often it is asked. */
  drawOverlay() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (!this.isGone) this._drawOverlay();
    });
  }

  _drawOverlay() {
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
      // One seek at a time: while the cursor is dragged the newest moment follows, a few times a second.
      if (Math.abs(this.video.currentTime - wanted) > 1e-3) {
        const wait = this.isDragged ? SEEK_EVERY_MS - (performance.now() - (this.lastSeek ?? -Infinity)) : 0;
        if (this.video.seeking) this.isBehind = true;
        else if (wait > 0) this.seekTimer ??= setTimeout(() => this._catchUp(), wait);
        else {
          this.lastSeek = performance.now();
          this.video.currentTime = wanted;
        }
      }
    }
    this.drawOverlay();
  }

  _catchUp() {
    this.seekTimer = null;
    if (!this.isGone) this._place();
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
      if (this.mode === "file") {
        this.time = clamp(this.offset + video.currentTime, 0, this.recording.duration); // also if its last frames were never shown
        this._tell();
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

  /** Shows or hides where the image moves. */
  toggleHeat(button) {
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

  fullScreen() {
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
