// The sound of one call: the microphone, the loudspeaker, and how loud both are.

import { MicrophoneError, unreachable } from "./errors.js";

export const INPUT_HZ = 16000;
export const OUTPUT_HZ = 24000;

const WORKLET = new URL("./worklet.js", import.meta.url);

const REFUSALS = {
  NotAllowedError: ["denied", "The browser or its user does not allow this page to use the microphone."],
  SecurityError: ["denied", "The browser does not allow this page to use the microphone."],
  NotFoundError: ["missing", "There is no microphone."],
  OverconstrainedError: ["missing", "The chosen microphone is not there."],
  NotReadableError: ["busy", "Another program holds the microphone."],
};

/** Asks for the microphone. Echo, noise and level are the browser's business unless `audio` says otherwise. */
async function openMicrophone(deviceId, audio) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new MicrophoneError("insecure", "Browsers give the microphone to pages over HTTPS or on localhost only.");
  }
  const wanted = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...audio };
  if (deviceId) wanted.deviceId = { exact: deviceId };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: wanted });
  } catch (error) {
    const [code, message] = REFUSALS[error.name] ?? ["failed", `The microphone cannot be opened: ${error.message}`];
    throw new MicrophoneError(code, message);
  }
}

function rmsOf(analyser, samples) {
  analyser.getFloatTimeDomainData(samples);
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}

export class Sound {
  #options;
  #samples = new Float32Array(1024);
  #source = null;
  #muted = false;
  #speaker = "";
  #element = null;
  #remote = null;
  #hushed = 0;

  /** `options`: as of `connect`. `lost(error)` is called when a microphone that was open is gone, and no other could be had. */
  constructor(options, lost) {
    this.#options = options;
    this.lost = lost;
    this.stream = null;
    this.context = new AudioContext({ latencyHint: "interactive" });
    this.microphone = this.context.createAnalyser();
    this.reply = this.context.createAnalyser();
    this.microphone.fftSize = this.reply.fftSize = this.#samples.length;
  }

  /**
   * With a microphone, unless `options.microphone` is false.
   * @throws {MicrophoneError | ConnectError}
   */
  async open() {
    const { microphone = true, speaker, audio } = this.#options;
    this.#run(); // at once, while the user's click still counts
    this.context.onstatechange = () => this.#run(); // a telephone call, for one, stops the sound of a page
    await this.context.audioWorklet.addModule(WORKLET).catch(() => {
      throw unreachable();
    });
    if (microphone !== false) this.#take(await openMicrophone(microphone === true ? "" : microphone, audio));
    if (speaker) await this.setSpeaker(speaker);
  }

  /** Whether the browser takes what it plays out of what the microphone hears. */
  get echoCancelled() {
    return Boolean(this.stream?.getAudioTracks()[0]?.getSettings().echoCancellation);
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    for (const track of this.stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** Root mean square of each side over the last 1,024 samples, 0 to 1. */
  levels() {
    return { microphone: rmsOf(this.microphone, this.#samples), reply: rmsOf(this.reply, this.#samples) };
  }

  /** @throws {MicrophoneError} when it cannot be had; the one before goes on. */
  async setMicrophone(deviceId) {
    this.#take(await openMicrophone(deviceId, this.#options.audio));
    await this.changed?.(this.stream);
  }

  /** Where the reply is heard, in browsers that let a page choose. */
  async setSpeaker(deviceId) {
    this.#speaker = deviceId;
    await this.context.setSinkId?.(deviceId);
    await this.#element?.setSinkId?.(deviceId);
  }

  #run() {
    // Not awaited: without a user's gesture it stays pending until there is one.
    if (!["running", "closed"].includes(this.context.state)) this.context.resume().catch(() => {});
  }

  #take(stream) {
    this.#source?.disconnect();
    this.stream?.getTracks().forEach((track) => {
      track.onended = null;
      track.stop();
    });
    this.stream = stream;
    this.#source = this.context.createMediaStreamSource(stream);
    this.#source.connect(this.microphone);
    stream.getAudioTracks()[0].onended = () => this.#unplugged();
    this.muted = this.#muted;
  }

  async #unplugged() {
    try {
      await this.setMicrophone("");
    } catch (error) {
      this.lost(error);
    }
  }

  /** Calls `take` with an ArrayBuffer for every 20 ms that the microphone hears; returns what ends that. */
  listen(take) {
    const node = new AudioWorkletNode(this.context, "beluga-microphone", {
      channelCount: 1,
      channelCountMode: "explicit",
      processorOptions: { rateHz: INPUT_HZ },
    });
    node.port.onmessage = ({ data }) => take(data);
    this.microphone.connect(node);
    node.connect(this.context.destination); // it is silent; a node that leads nowhere may not run
    return () => {
      node.port.onmessage = null;
      node.port.postMessage("close");
      this.microphone.disconnect(node);
      node.disconnect();
    };
  }

  /** What plays frames that come by themselves. `played(ms)`: how much of a reply came out of the loudspeaker. */
  player(played) {
    return new Player(this.context, this.reply, played);
  }

  /** Plays a stream that comes by WebRTC. */
  play(stream) {
    this.#element ??= new Audio();
    this.#element.autoplay = true;
    this.#element.srcObject = stream;
    this.#element.setSinkId?.(this.#speaker).catch(() => {});
    this.#remote?.disconnect();
    this.#remote = this.context.createMediaStreamSource(stream);
    this.#remote.connect(this.reply); // to be measured; the element is what is heard
  }

  /** Keeps what is on its way in a WebRTC stream from being heard. */
  hush(ms) {
    if (!this.#element) return;
    this.#element.muted = true;
    clearTimeout(this.#hushed);
    this.#hushed = setTimeout(() => (this.#element.muted = false), ms);
  }

  async close() {
    this.stream?.getTracks().forEach((track) => {
      track.onended = null;
      track.stop();
    });
    if (this.#element) this.#element.srcObject = null;
    if (this.context.state !== "closed") await this.context.close();
  }
}

class Player {
  #node;
  #played;
  #epoch = 0;
  #context;

  constructor(context, reply, played) {
    this.#context = context;
    this.#played = played;
    this.#node = new AudioWorkletNode(context, "beluga-speaker", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { rateHz: OUTPUT_HZ },
    });
    this.#node.port.onmessage = ({ data }) => this.#report(data);
    this.#node.connect(reply).connect(context.destination);
  }

  add(audio) {
    this.#node.port.postMessage({ audio }, [audio]);
  }

  /** A reply begins: what is played from now on is counted from here. */
  mark() {
    this.#node.port.postMessage({ order: "mark", epoch: ++this.#epoch });
  }

  clear() {
    this.#epoch++;
    this.#node.port.postMessage({ order: "clear" });
  }

  pause() {
    this.#node.port.postMessage({ order: "pause" });
  }

  resume() {
    this.#node.port.postMessage({ order: "resume" });
  }

  close() {
    this.#epoch++;
    this.#node.port.onmessage = null;
    this.#node.port.postMessage({ order: "close" });
    this.#node.disconnect();
  }

  /** Once it has come through the buffers of the sound card, unless another reply has begun by then. */
  #report({ playedMs, epoch }) {
    const latencyMs = ((this.#context.outputLatency || 0) + (this.#context.baseLatency || 0)) * 1000;
    setTimeout(() => {
      if (epoch === this.#epoch) this.#played(playedMs);
    }, latencyMs);
  }
}
