// What a call may be connected by. Each opens with `open…(…)`, which returns a link once the server is ready:
//   link.name, link.ready (the server's message), link.send(message), link.close()
// and calls `told(message)` for every message after that, then once `lost({code, reason})`.

import { ConnectError, post, request } from "./errors.js";
import { INPUT_HZ, OUTPUT_HZ } from "./sound.js";

const READY_WITHIN_MS = 15000;
const QUEUED_BYTES = INPUT_HZ * 2; // a second of the microphone: more would be heard too late to be of use

const AFTER_CLOSE = {
  4401: ["unauthorized", false],
  4404: ["session_not_found", false],
  4429: ["capacity", true],
  4503: ["capacity", true],
};

/** A token that may stand in a subprotocol; any other goes into the query. */
const PLAIN_TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/** Finds out that a connection has died without a word: after `quietMs` it asks, and who is silent then for `patienceMs` is
 * gone. Something was heard when `heard()` is called. */
class Pulse {
  #heardAt = performance.now();
  #askedAt = null;
  #timer;

  constructor({ quietMs, patienceMs, ask, gone }) {
    this.#timer = setInterval(() => {
      const now = performance.now();
      if (this.#askedAt === null && now - this.#heardAt > quietMs) {
        this.#askedAt = now;
        ask();
      } else if (this.#askedAt !== null && now - this.#askedAt > patienceMs) {
        gone();
      }
    }, 1000);
  }

  heard() {
    this.#heardAt = performance.now();
    this.#askedAt = null;
  }

  stop() {
    clearInterval(this.#timer);
  }
}

export function openWebSocket({ base, token, start, sound, told, lost }) {
  const url = new URL("v1/ws", base);
  url.protocol = url.protocol.replace("http", "ws");
  const plain = !token || PLAIN_TOKEN.test(token);
  if (!plain) url.searchParams.set("token", token);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, token && plain ? ["bearer", token] : []);
    new SocketLink(socket, { start, sound, told, lost }, resolve, reject);
  });
}

class SocketLink {
  name = "websocket";
  ready = null;
  #socket;
  #told;
  #lost;
  #player;
  #deaf = () => {};
  #sound;
  #settled;
  #refusal = null;
  #late;
  #pulse = null;

  constructor(socket, { start, sound, told, lost }, resolve, reject) {
    this.#socket = socket;
    this.#sound = sound;
    this.#told = told;
    this.#lost = lost;
    this.#settled = { resolve, reject };
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      const audio = { encoding: "pcm_s16le", sample_rate: INPUT_HZ };
      const output = { ...audio, sample_rate: OUTPUT_HZ };
      this.send({ type: "start", audio, output, echo_cancelled: sound.echoCancelled, ...start });
    };
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#late = setTimeout(() => this.#gone(), READY_WITHIN_MS);
  }

  send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Nothing is told any more, `lost` neither. */
  close() {
    this.#told = this.#lost = () => {};
    this.#socket.onclose = null;
    this.#release();
    this.#socket.close(1000);
  }

  #take(data) {
    this.#pulse?.heard();
    if (typeof data !== "string") {
      this.#player?.add(data);
      return;
    }
    const message = JSON.parse(data);
    switch (message.type) {
      case "ready":
        this.#begin(message);
        return;
      case "pong":
        return;
      case "reply":
        if (message.event === "started") this.#player.mark();
        break;
      case "clear":
        this.#player.clear();
        break;
      case "paused":
        this.#player.pause();
        break;
      case "resumed":
        this.#player.resume();
        break;
      case "error":
        if (message.fatal) this.#refusal = message;
    }
    if (this.ready) this.#told(message);
  }

  #begin(message) {
    this.ready = message;
    clearTimeout(this.#late);
    const ask = () => this.send({ type: "ping" });
    this.#pulse = new Pulse({ quietMs: 10000, patienceMs: 15000, ask, gone: () => this.#gone() });
    this.#player = this.#sound.player((ms) => this.send({ type: "playout", played_ms: ms }));
    this.#player.mark(); // of a session that is taken over, in the middle of a reply perhaps
    this.#deaf = this.#sound.listen((frame) => {
      if (this.#socket.readyState === WebSocket.OPEN && this.#socket.bufferedAmount < QUEUED_BYTES) {
        this.#socket.send(frame);
      }
    });
    this.#settled.resolve(this);
  }

  #gone() {
    this.#socket.onclose = null;
    this.#socket.close();
    this.#closed(1006, "no answer");
  }

  #closed(code, reason) {
    this.#release();
    if (this.ready) {
      this.#lost({ code, reason });
      return;
    }
    const [kind, retryable] = AFTER_CLOSE[code] ?? [this.#refusal?.code ?? "network", this.#refusal?.retryable ?? true];
    const message = this.#refusal?.message || reason || "The server cannot be reached.";
    this.#settled.reject(new ConnectError(kind, message, { retryable, closeCode: code }));
  }

  #release() {
    clearTimeout(this.#late);
    this.#pulse?.stop();
    this.#deaf();
    this.#player?.close();
    this.#player = null;
    this.#socket.onmessage = null;
  }
}

const BUFFERED_MS = 200; // of a reply, in the network and the browser, that a clear must silence

const LAST_WORD_MS = 200; // for what was sent last to go out: unlike a socket, a connection does not close in order

/**
 * Media by RTP, messages by the data channel `events`; offer and answer over `POST /v1/webrtc`. Candidates follow by
 * `PATCH` as they are found: nobody waits for a STUN or TURN server that does not answer.
 */
export async function openWebRtc({ base, token, start, sound, iceServers, withinMs, told, lost }) {
  const url = new URL("v1/webrtc", base);
  const peer = new RTCPeerConnection({ iceServers: iceServers ?? (await serversOf(url, token)) });
  const link = new PeerLink(peer, { sound, told, lost });
  try {
    const candidates = new Candidates(peer);
    await peer.setLocalDescription();
    const { sdp, type } = peer.localDescription;
    const { told: answer, etag } = await post(url, token, { sdp, type, ...start });
    await peer.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    candidates.tell(new URL(`webrtc/${answer.session_id}`, url), token, etag, sdp);
    await link.whenReady(withinMs);
    return link;
  } catch (error) {
    link.close();
    throw error;
  }
}

/** The ways to a peer that it finds, told in fragments of SDP (RFC 8840). */
class Candidates {
  #found = [];
  #tell = () => {}; // until there is somebody to tell

  constructor(peer) {
    peer.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate === "") return; // the end for one server; null is the end of all
      this.#found.push(`a=${candidate?.candidate ?? "end-of-candidates"}`);
      this.#tell();
    };
  }

  /** What was found so far, and from now on what is found. */
  tell(session, token, etag, offer) {
    const [ufrag, password, mid] = ["ice-ufrag", "ice-pwd", "mid"].map((name) => offer.match(`a=${name}:.*`)[0]);
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": etag };
    let told = Promise.resolve();
    this.#tell = () => {
      const lines = [ufrag, password, "m=audio 9 UDP/TLS/RTP/SAVPF 0", mid, ...this.#found.splice(0), ""];
      const fragment = { method: "PATCH", headers, body: lines.join("\r\n") };
      // What is not taken is no reason to give up: the server learns of a way from whatever comes by it, too.
      told = told.then(() => request(session, token, fragment)).catch(() => {});
    };
    this.#tell();
  }
}

const LINK = /<([^>]+)>((?:\s*;\s*[\w-]+="(?:[^"\\]|\\.)*")*)/g;
const PARAMETER = /([\w-]+)="((?:[^"\\]|\\.)*)"/g;

/** The STUN and TURN servers that the server has for its callers (RFC 9725, section 4.6); none if it does not say. */
async function serversOf(url, token) {
  const response = await request(url, token, { method: "OPTIONS" }).catch(() => null);
  const links = [...(response?.headers.get("Link") ?? "").matchAll(LINK)];
  return links.flatMap(([, urls, parameters]) => {
    const pairs = [...parameters.matchAll(PARAMETER)].map(([, name, value]) => [name, value.replace(/\\(.)/g, "$1")]);
    const { rel, username, credential } = Object.fromEntries(pairs);
    return rel === "ice-server" ? [{ urls, username, credential }] : [];
  });
}

class PeerLink {
  name = "webrtc";
  ready = null;
  #peer;
  #channel;
  #told;
  #lost;
  #sound;
  #settled;
  #whenReady;
  #reason = "";
  #pulse = null;

  constructor(peer, { sound, told, lost }) {
    this.#peer = peer;
    this.#sound = sound;
    this.#told = told;
    this.#lost = lost;
    this.#whenReady = new Promise((resolve, reject) => (this.#settled = { resolve, reject }));
    this.#whenReady.catch(() => {}); // the offer may fail first
    const track = sound.stream?.getAudioTracks()[0];
    const { sender } = peer.addTransceiver(track ?? "audio"); // a microphone may be chosen later
    sound.changed = (stream) => sender.replaceTrack(stream.getAudioTracks()[0]);
    peer.ontrack = ({ track: remote }) => sound.play(new MediaStream([remote]));
    peer.onconnectionstatechange = () => peer.connectionState === "failed" && this.#closed("the connection is lost");
    this.#channel = peer.createDataChannel("events");
    this.#channel.onmessage = ({ data }) => this.#take(JSON.parse(data));
    this.#channel.onclose = () => this.#closed(this.#reason || "the server closed the connection");
  }

  whenReady(withinMs = READY_WITHIN_MS) {
    const late = setTimeout(() => this.#closed("no answer"), withinMs);
    return this.#whenReady.finally(() => clearTimeout(late));
  }

  send(message) {
    if (this.#channel.readyState === "open") this.#channel.send(JSON.stringify(message));
  }

  close() {
    this.#told = this.#lost = () => {};
    this.#sound.changed = null;
    this.#channel.onclose = null;
    this.#peer.onconnectionstatechange = null;
    this.#pulse?.stop();
    setTimeout(() => this.#peer.close(), LAST_WORD_MS);
  }

  #take(message) {
    this.#pulse?.heard();
    switch (message.type) {
      case "ready":
        this.#begin(message);
        return;
      case "pong":
        return;
      case "clear":
        this.#sound.hush(BUFFERED_MS);
        break;
      case "error":
        if (message.fatal) this.#reason = message.message;
    }
    if (this.ready) this.#told(message);
  }

  #begin(message) {
    this.ready = message;
    // The browser gives a peer up after half a minute only.
    const [ask, gone] = [() => this.send({ type: "ping" }), () => this.#closed("no answer")];
    this.#pulse = new Pulse({ quietMs: 2000, patienceMs: 6000, ask, gone });
    this.#settled.resolve();
  }

  #closed(reason) {
    const lost = this.#lost;
    this.close();
    if (this.ready) lost({ code: 1006, reason });
    else this.#settled.reject(new ConnectError("network", `WebRTC does not come about: ${reason}.`, { retryable: true }));
  }
}
