/**
 * A call to a Beluga Voice server from a web page. No dependency, no build step.
 *
 *     import { connect } from "https://voice.example.com/static/beluga-voice.js";
 *
 *     const call = await connect();
 *     call.addEventListener("transcript", ({ detail }) => console.log(detail.text));
 *
 * The types, and what each name means, are in `beluga-voice.d.ts`.
 */

import { ConnectError, MicrophoneError, post } from "./errors.js";
import { openWebRtc, openWebSocket } from "./links.js";
import { Sound } from "./sound.js";

export { ConnectError, MicrophoneError };

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 5000;
const RECONNECT_FOR_MS = 120000;
const WEBRTC_WITHIN_MS = 6000; // where there is something else to try

/** After these there is nothing to go back to, and why. */
const FINAL = {
  1000: "client",
  4400: "error",
  4401: "unauthorized",
  4408: "error",
  4409: "taken_over",
  4413: "error",
};

/** A server that has no WebRTC says so, or knows no such route. */
const WITHOUT_WEBRTC = new Set([404, 405, 501]);

/** Opens the microphone, connects, and returns once the server is ready. Call it from a click: browsers ask for one. */
export async function connect(options = {}) {
  const call = new Call(options, PRIVATE);
  await call[OPEN]();
  return call;
}

/** Microphones and loudspeakers. Browsers tell their names once the page has had the microphone. */
export async function devices() {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (kind) =>
    all.filter((each) => each.kind === kind && each.deviceId).map(({ deviceId, label }) => ({ deviceId, label }));
  return { microphones: of("audioinput"), speakers: of("audiooutput") };
}

const PRIVATE = Symbol("only connect makes calls");
const OPEN = Symbol("open");

export class Call extends EventTarget {
  #options;
  #base;
  #sound;
  #link = null;
  #resume = null;
  #state = "connecting";
  #sessionId = "";
  #over = false;
  #wake = () => {};
  #hear;

  constructor(options, key) {
    if (key !== PRIVATE) throw new TypeError("a call is made by connect()");
    super();
    this.#options = { transport: "auto", metadata: {}, reconnect: true, ...options };
    if (!["auto", "webrtc", "websocket"].includes(this.#options.transport)) {
      throw new TypeError(`transport is "auto", "webrtc" or "websocket", not ${this.#options.transport}`);
    }
    this.#base = new URL(this.#options.url ?? new URL("../", import.meta.url), document.baseURI);
    if (!this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
    this.#hear = () => this.#wake();
    this.#sound = new Sound(this.#options, (error) => this.#fail(error.code, error.message));
  }

  async [OPEN]() {
    try {
      await this.#sound.open();
      await this.#join();
    } catch (error) {
      this.#over = true;
      await this.#sound.close();
      throw error;
    }
    window.addEventListener("online", this.#hear);
  }

  // --- what is

  get state() {
    return this.#state;
  }

  get sessionId() {
    return this.#sessionId;
  }

  get transport() {
    return this.#link?.name ?? null;
  }

  get muted() {
    return this.#sound.muted;
  }

  get microphone() {
    return this.#sound.stream?.getAudioTracks()[0]?.getSettings().deviceId ?? null;
  }

  levels() {
    return this.#sound.levels();
  }

  get analysers() {
    return { microphone: this.#sound.microphone, reply: this.#sound.reply };
  }

  // --- what can be done

  send(text) {
    this.#link?.send({ type: "text", text });
  }

  dtmf(digit) {
    this.#link?.send({ type: "dtmf", digit });
  }

  interrupt() {
    this.#link?.send({ type: "interrupt" });
  }

  mute(muted = true) {
    this.#sound.muted = muted;
  }

  async say(text, options = {}) {
    const url = new URL(`v1/sessions/${this.#sessionId}/say`, this.#base);
    const { told } = await post(url, this.#options.token, { text, ...options });
    return told.utterance_id;
  }

  setMicrophone(deviceId) {
    return this.#sound.setMicrophone(deviceId);
  }

  setSpeaker(deviceId) {
    return this.#sound.setSpeaker(deviceId);
  }

  async hangUp() {
    this.#link?.send({ type: "stop" });
    await this.#end("client");
  }

  // --- inside

  async #join() {
    const { transport, metadata, sessionId, token, iceServers } = this.#options;
    const resume = this.#resume && { resume: this.#resume };
    const start = { metadata, ...(sessionId && !this.#sessionId && { session_id: sessionId }), ...resume };
    const withinMs = transport === "auto" && !this.#link ? WEBRTC_WITHIN_MS : undefined;
    const link = { base: this.#base, token, start, sound: this.#sound, iceServers, withinMs };
    let open = transport === "websocket" || !window.RTCPeerConnection ? openWebSocket : openWebRtc;
    if (this.#link) open = this.#link.name === "webrtc" ? openWebRtc : openWebSocket;
    let opened;
    const told = (message) => this.#take(message);
    const lost = (why) => this.#lose(opened, why);
    try {
      opened = await open({ ...link, told, lost });
    } catch (error) {
      const elsewhere = open === openWebRtc && transport === "auto" && !this.#resume && isOfWebRtcOnly(error);
      if (!elsewhere) throw error;
      opened = await openWebSocket({ ...link, told, lost });
    }
    if (this.#over) {
      opened.send({ type: "stop" });
      opened.close();
      return;
    }
    this.#link = opened;
    this.#resume = opened.ready.resume_token;
    this.#sessionId = opened.ready.session_id;
    if (this.#state === "connecting" || this.#state === "reconnecting") this.#change("initial");
    this.#tell("ready", opened.ready);
  }

  #take(message) {
    switch (message.type) {
      case "state":
        if (message.state !== "ended") this.#change(message.state); // that is told with its reason
        break;
      case "ended":
        if (message.reason === "server_shutdown" && this.#options.reconnect) this.#resume = null;
        else this.#end(message.reason);
        break;
      default:
        this.#tell(message.type, message);
    }
  }

  #change(state) {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    this.#tell("state", { type: "state", state, previous });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #fail(code, message) {
    this.#tell("error", { type: "error", code, message, retryable: true, fatal: false });
  }

  async #lose(link, { code, reason }) {
    if (this.#over || link !== this.#link) return;
    if (FINAL[code] || !this.#options.reconnect) {
      await this.#end(FINAL[code] ?? "network", reason);
      return;
    }
    this.#change("reconnecting");
    await this.#reconnect();
  }

  /** Takes the session up again; one that is gone begins anew, and `restarted` says so. */
  async #reconnect() {
    const until = performance.now() + RECONNECT_FOR_MS;
    const before = this.#sessionId;
    for (let attempt = 1, delayMs = FIRST_DELAY_MS; !this.#over; attempt++, delayMs *= 2) {
      this.#tell("reconnecting", { type: "reconnecting", attempt });
      await this.#pause(Math.min(delayMs, LONGEST_DELAY_MS) * (0.5 + Math.random() / 2));
      if (this.#over) return;
      try {
        await this.#join();
        if (this.#over) return;
        const type = this.#sessionId === before ? "reconnected" : "restarted";
        this.#tell(type, { type, session_id: this.#sessionId });
        return;
      } catch (error) {
        if (error.code === "session_not_found" && this.#resume) {
          this.#resume = null;
        } else if (!error.retryable || performance.now() > until) {
          await this.#end(error.code === "unauthorized" ? "unauthorized" : "network", error.message);
        }
      }
    }
  }

  /** Cut short when the network is back. */
  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #end(reason, message = "") {
    if (this.#over) return;
    this.#over = true;
    window.removeEventListener("online", this.#hear);
    this.#wake();
    this.#link?.close();
    await this.#sound.close();
    this.#change("ended");
    this.#tell("ended", { type: "ended", reason, message });
  }
}

function isOfWebRtcOnly(error) {
  if (!(error instanceof ConnectError)) return true; // the browser cannot do what is needed
  if (error.status) return WITHOUT_WEBRTC.has(error.status) && error.code !== "session_not_found";
  return error.code === "network";
}
