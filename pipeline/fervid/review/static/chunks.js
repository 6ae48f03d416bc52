// Plays a video that comes in chunks, made by the server ahead of the cursor, as one without breaks between them.
// Each chunk is a fragmented MP4 that begins at its own zero; the browser's Media Source Extensions join them.

import { clock } from "./dom.js";

const AHEAD_SECONDS = 12;
const AHEAD_PAUSED_SECONDS = 4;
const KEPT_BEHIND_SECONDS = 60;
const TELL_EVERY_MS = 500;
const TRY_AGAIN_MS = 2000;

export class ChunkStream {
  static get works() {
    return "MediaSource" in window;
  }

  /** `say(text)` shows what is waited for, null nothing; `fail()` is called where the browser cannot play chunks. */
  constructor(video, { url, seconds }, duration, { say, fail }) {
    Object.assign(this, { video, url, seconds, duration, say, fail });
    this.n = Math.max(1, Math.ceil(duration / seconds - 1e-6));
    this.have = new Set();
    this.missing = new Map();
    this.source = new MediaSource();
    this.address = URL.createObjectURL(this.source);
    this.listeners = ["seeking", "timeupdate", "waiting", "play"].map((name) => [name, () => this._pump()]);
    for (const [name, listener] of this.listeners) video.addEventListener(name, listener);
    this.source.addEventListener("sourceopen", () => {
      URL.revokeObjectURL(this.address);
      this.source.duration = duration;
      this._pump();
    }, { once: true });
    video.src = this.address;
    this.timer = setInterval(() => this._tell(), TELL_EVERY_MS);
  }

  destroy() {
    this.isGone = true;
    clearInterval(this.timer);
    this.request?.abort();
    for (const [name, listener] of this.listeners) this.video.removeEventListener(name, listener);
  }

  /** The chunk of a moment. */
  _at(seconds) {
    return Math.min(this.n - 1, Math.max(0, Math.floor(seconds / this.seconds + 1e-6)));
  }

  /** The chunk to get now: the first from the cursor on that is not there, some seconds ahead; null for none. */
  _wanted() {
    const first = this._at(this.video.currentTime);
    const ahead = this.video.paused ? AHEAD_PAUSED_SECONDS : AHEAD_SECONDS;
    const last = Math.min(this.n - 1, first + Math.ceil(ahead / this.seconds));
    for (let i = first; i <= last; i++) if (!this.have.has(i) && !this.missing.has(i)) return i;
    return null;
  }

  async _pump() {
    if (this.isGone || this.source.readyState === "closed") return;
    this._leap();
    const wanted = this._wanted();
    if (this.getting !== undefined && this.getting !== null) {
      const first = this._at(this.video.currentTime);
      if (wanted !== null && this.getting !== wanted && !this.have.has(first)) this.request?.abort(); // the cursor went elsewhere
      return;
    }
    if (wanted === null) return;
    this.getting = wanted;
    this.since = performance.now();
    this._tell();
    try {
      await this._get(wanted);
    } catch (problem) {
      if (problem.name === "NotSupportedError") return this.isGone || this.fail();
      if (problem.name !== "AbortError" && !this.isGone) {
        this.problem = String(problem.message ?? problem);
        if (problem.isFinal) this.missing.set(wanted, this.problem);
        else await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
      }
    }
    this.getting = null;
    this._tell();
    this._pump();
  }

  async _get(number) {
    this.request = new AbortController();
    const answer = await fetch(`${this.url}${number}.mp4`, { signal: this.request.signal });
    if (!answer.ok) {
      const said = await answer.json().catch(() => ({}));
      throw Object.assign(new Error(said.error ?? `the server answered ${answer.status}`), { isFinal: answer.status === 404 || answer.status === 500 });
    }
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (this.isGone) return;
    this.buffer ??= this._open(bytes);
    this.buffer.timestampOffset = number * this.seconds;
    this.buffer.appendBuffer(bytes);
    await this._settled();
    this.have.add(number);
    this.problem = null;
    await this._forget();
    if (number === this.n - 1 && this.source.readyState === "open" && !this.buffer.updating) this.source.endOfStream();
  }

  _open(bytes) {
    const type = `video/mp4; codecs="${codecsOf(bytes)}"`;
    if (!MediaSource.isTypeSupported(type)) throw Object.assign(new Error(type), { name: "NotSupportedError" });
    return this.source.addSourceBuffer(type);
  }

  async _settled() {
    if (!this.buffer.updating) return;
    await new Promise((resolve, reject) => {
      this.buffer.addEventListener("updateend", resolve, { once: true });
      this.buffer.addEventListener("error", () => reject(Object.assign(new Error("a chunk cannot be played"), { name: "NotSupportedError" })), { once: true });
    });
  }

  /** Lets go of what lies far behind the cursor. */
  async _forget() {
    const until = this._at(this.video.currentTime - KEPT_BEHIND_SECONDS);
    const old = [...this.have].filter((i) => i < until);
    if (!old.length) return;
    this.buffer.remove(0, until * this.seconds);
    await this._settled();
    for (const i of old) this.have.delete(i);
  }

  /** Over a chunk that could not be made, while it plays. */
  _leap() {
    const at = this._at(this.video.currentTime);
    if (!this.missing.has(at) || this.video.paused || at + 1 >= this.n) return;
    this.video.currentTime = (at + 1) * this.seconds;
  }

  _tell() {
    const at = this._at(this.video.currentTime);
    if (this.have.has(at)) return this.say(null);
    const span = `${clock(at * this.seconds, 0)} to ${clock(Math.min(this.duration, (at + 1) * this.seconds), 0)}`;
    if (this.missing.has(at)) return this.say(`No preview of ${span} can be made: ${this.missing.get(at)}`);
    const waited = Math.round((performance.now() - (this.since ?? performance.now())) / 1000);
    const why = this.problem ? `trying again: ${this.problem}` : "decoding, covering faces, encoding";
    this.say(`Making a preview of ${span}: ${why}${waited >= 2 ? `, for ${waited} s` : ""} …`);
  }
}

/** The codecs of an MP4 of ours, as MIME types name them: from its avcC box, and AAC where it has sound. */
function codecsOf(bytes) {
  const at = find(bytes, "avcC");
  if (at < 0) throw Object.assign(new Error("no H.264 in the chunk"), { name: "NotSupportedError" });
  const hex = [...bytes.subarray(at + 5, at + 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `avc1.${hex}${find(bytes, "mp4a") < 0 ? "" : ", mp4a.40.2"}`;
}

function find(bytes, name) {
  const codes = [...name].map((letter) => letter.charCodeAt(0));
  for (let i = 0; i + 4 <= bytes.length && i < 65536; i++) if (codes.every((code, k) => bytes[i + k] === code)) return i;
  return -1;
}
