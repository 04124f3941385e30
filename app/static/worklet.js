// Runs on the audio thread. One file without imports: not every browser lets a worklet import another.

const ZERO_CROSSINGS = 16;
const BLOCK = 8192;
const PASSBAND = 0.94; // of the lower rate's Nyquist frequency; the rest is for the filter to fall in

/** From one whole rate to another, by windowed sinc; keeps its state from block to block. */
class Resampler {
  constructor(fromHz, toHz) {
    const divisor = greatestCommonDivisor(fromHz, toHz);
    this.up = toHz / divisor;
    this.down = fromHz / divisor;
    const cutoff = PASSBAND * Math.min(1, toHz / fromHz);
    this.half = Math.ceil(ZERO_CROSSINGS / cutoff);
    this.taps = 2 * this.half;
    this.filters = filtersOf(this.up, this.half, cutoff);
    this.waiting = new Float32Array(this.taps + BLOCK);
    this.length = this.half - 1; // silence before the first sample
    this.phase = 0;
  }

  /** Calls `take` with every sample that is ready. */
  process(input, take) {
    if (this.up === this.down) {
      input.forEach(take);
      return;
    }
    for (let from = 0; from < input.length; from += BLOCK / 2) {
      this.#process(input.subarray(from, from + BLOCK / 2), take);
    }
  }

  #process(input, take) {
    const { waiting, filters, taps, up, down } = this;
    waiting.set(input, this.length);
    this.length += input.length;
    let start = 0;
    while (start + taps <= this.length) {
      const filter = this.phase * taps;
      let sample = 0;
      for (let tap = 0; tap < taps; tap++) sample += waiting[start + tap] * filters[filter + tap];
      take(sample);
      this.phase += down;
      start += Math.floor(this.phase / up);
      this.phase %= up;
    }
    waiting.copyWithin(0, start, this.length);
    this.length -= start;
  }
}

/** One filter for each place that an output can have between two inputs. */
function filtersOf(phases, half, cutoff) {
  const taps = 2 * half;
  const filters = new Float32Array(phases * taps);
  for (let phase = 0; phase < phases; phase++) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const x = tap - half + 1 - phase / phases;
      const window = 0.42 + 0.5 * Math.cos((Math.PI * x) / half) + 0.08 * Math.cos((2 * Math.PI * x) / half);
      const weight = sinc(x * cutoff) * window;
      filters[phase * taps + tap] = weight;
      sum += weight;
    }
    for (let tap = 0; tap < taps; tap++) filters[phase * taps + tap] /= sum;
  }
  return filters;
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

const FRAME_MS = 20;

/** What the microphone hears, posted as frames of 20 ms, signed 16 bit, at the rate of the server. Any message ends it. */
class Microphone extends AudioWorkletProcessor {
  constructor({ processorOptions: { rateHz } }) {
    super();
    this.resampler = new Resampler(sampleRate, rateHz);
    this.frame = new Int16Array((rateHz * FRAME_MS) / 1000);
    this.filled = 0;
    this.open = true;
    this.take = (sample) => this.#take(sample);
    this.port.onmessage = () => (this.open = false);
  }

  process([input]) {
    if (input.length > 0) this.resampler.process(input[0], this.take);
    return this.open; // until it returns false the browser keeps it
  }

  #take(sample) {
    this.frame[this.filled++] = Math.round(Math.max(-1, Math.min(1, sample)) * 32767);
    if (this.filled < this.frame.length) return;
    const { buffer } = this.frame;
    this.frame = new Int16Array(this.filled);
    this.filled = 0;
    this.port.postMessage(buffer, [buffer]);
  }
}

const HELD_S = 10; // of audio that waits to be heard; the server sends 0.2 s ahead, a stalled network brings more at once
const REPORT_EVERY_S = 0.1;

/**
 * Plays what the server sends. Takes `{audio}`, and the orders `{order: "clear" | "pause" | "resume" | "mark" | "close"}`;
 * posts `{playedMs, epoch}`: how much was played since the last mark, and which mark that was.
 */
class Speaker extends AudioWorkletProcessor {
  constructor({ processorOptions: { rateHz } }) {
    super();
    this.rateHz = rateHz;
    this.resampler = new Resampler(rateHz, sampleRate);
    this.ring = new Float32Array(HELD_S * sampleRate);
    this.read = 0;
    this.held = 0;
    this.doomed = 0; // how many of those are to be dropped; what comes after a clear is not
    this.paused = false;
    this.fading = null; // what is to be done once the sound has faded out, within one block of 128 samples
    this.silent = true;
    this.open = true;
    this.receivedMs = 0;
    this.base = null;
    this.epoch = 0;
    this.reported = null;
    this.reportAt = 0;
    this.keep = (sample) => this.#keep(sample);
    this.port.onmessage = ({ data }) => (data.audio ? this.#add(data.audio) : this.#obey(data));
  }

  process(_, [[output]]) {
    const count = this.paused && !this.fading ? 0 : Math.min(this.held, output.length);
    for (let at = 0; at < count; at++) {
      output[at] = this.ring[this.read] * this.#gain(at, output.length);
      this.read = (this.read + 1) % this.ring.length;
    }
    this.held -= count;
    this.doomed = Math.max(0, this.doomed - count);
    if (this.fading || count > 0) this.silent = this.fading !== null;
    if (this.fading) this.#faded();
    this.#report();
    return this.open;
  }

  /** A click is heard where a sound begins or ends at full height in its middle. */
  #gain(at, length) {
    if (this.fading) return 1 - at / length;
    return this.silent ? at / length : 1;
  }

  #add(buffer) {
    const pcm = new Int16Array(buffer);
    this.receivedMs += (pcm.length / this.rateHz) * 1000;
    this.resampler.process(Float32Array.from(pcm, (sample) => sample / 32768), this.keep);
  }

  #keep(sample) {
    if (this.held === this.ring.length) {
      this.read = (this.read + 1) % this.ring.length; // the oldest goes: late audio is worth nothing
      this.held--;
      this.doomed = Math.max(0, this.doomed - 1);
    }
    this.ring[(this.read + this.held++) % this.ring.length] = sample;
  }

  #obey({ order, epoch }) {
    switch (order) {
      case "clear":
        this.base = null;
        this.doomed = this.held;
        this.fading = "clear";
        if (this.paused) this.#faded();
        break;
      case "pause":
        this.fading ??= "pause";
        break;
      case "resume":
        if (this.fading === "pause") this.fading = null;
        this.paused = false;
        break;
      case "mark":
        this.base = this.receivedMs;
        this.epoch = epoch;
        this.reported = null;
        break;
      case "close":
        this.open = false;
    }
  }

  #faded() {
    if (this.fading === "clear") {
      this.read = (this.read + this.doomed) % this.ring.length;
      this.held -= this.doomed;
      this.doomed = 0;
      this.paused = false;
      this.silent = true;
    } else {
      this.paused = true;
    }
    this.fading = null;
  }

  #report() {
    if (this.base === null) return;
    const waitingMs = ((this.held - this.doomed) / sampleRate) * 1000;
    const playedMs = Math.max(0, this.receivedMs - waitingMs - this.base);
    if (playedMs === this.reported || (this.held > 0 && currentTime < this.reportAt)) return;
    this.reported = playedMs;
    this.reportAt = currentTime + REPORT_EVERY_S;
    this.port.postMessage({ playedMs, epoch: this.epoch });
  }
}

registerProcessor("beluga-microphone", Microphone);
registerProcessor("beluga-speaker", Speaker);
