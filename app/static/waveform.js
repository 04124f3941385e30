// The last seconds of both sides, drawn while somebody can see it. Its memory is one column per drawn bar.

const COLUMN_MS = 50;
const COLUMN_PX = 5;
const MOST_COLUMNS = 400;
const LOUDEST = 0.28; // speech at its loudest, as root mean square
const CUT = "you broke in";
const STILL_MS = 250; // between two drawings, for those who prefer less motion

export class Waveform {
  #canvas;
  #levels;
  #columns = [];
  #loudest = { you: 0, agent: 0 };
  #since = 0;
  #drawn = 0;
  #requested = 0;
  #running = false;
  #visible = true;
  #held = false;
  #cut = false;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #colours;

  /** `levels()`: what is loud now, 0 to 1: `{microphone, reply}`. */
  constructor(canvas, levels) {
    this.#canvas = canvas;
    this.#levels = levels;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    new IntersectionObserver(([entry]) => {
      this.#visible = entry.isIntersecting;
      this.#request();
    }).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#recolour());
    this.#recolour();
  }

  start() {
    this.#running = true;
    this.#since = performance.now();
    this.#request();
  }

  stop() {
    this.#running = this.#held = false;
    this.#draw();
  }

  /** While it is judged whether the user breaks in, the reply is held. */
  hold(held) {
    this.#held = held;
  }

  /** The user broke in, here. */
  cut() {
    this.#held = false;
    this.#cut = true;
  }

  #request() {
    if (this.#running && this.#visible && !this.#requested) {
      this.#requested = requestAnimationFrame((now) => this.#frame(now));
    }
  }

  #frame(now) {
    this.#requested = 0;
    if (!this.#running) return;
    const { microphone, reply } = this.#levels();
    this.#loudest.you = Math.max(this.#loudest.you, microphone);
    this.#loudest.agent = Math.max(this.#loudest.agent, reply);
    if (now - this.#since >= COLUMN_MS) this.#add(now);
    if (!this.#calm.matches || now - this.#drawn > STILL_MS) {
      this.#drawn = now;
      this.#draw();
    }
    this.#request();
  }

  #add(now) {
    // A page that was hidden has missed some: one column stands for the gap.
    this.#since = now - this.#since > 10 * COLUMN_MS ? now : this.#since + COLUMN_MS;
    this.#columns.push({ ...this.#loudest, held: this.#held, cut: this.#cut });
    if (this.#columns.length > MOST_COLUMNS) this.#columns.shift();
    this.#loudest = { you: 0, agent: 0 };
    this.#cut = false;
  }

  #recolour() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    this.#colours = { you: of("you"), agent: of("agent"), cut: of("cut"), line: of("line"), font: style.fontFamily };
    this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * scale) || this.#canvas.height !== Math.round(height * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = Math.round(height * scale);
    }
    const pen = this.#canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const fits = Math.floor(width / COLUMN_PX);
    const shown = this.#columns.slice(-fits);
    const left = width - shown.length * COLUMN_PX;
    const lanes = [
      ["you", height * 0.3],
      ["agent", height * 0.7],
    ];
    pen.lineCap = "round";
    pen.lineWidth = COLUMN_PX - 2;
    for (const [side, middle] of lanes) {
      this.#rule(pen, middle, width);
      pen.strokeStyle = this.#colours[side];
      pen.beginPath();
      shown.forEach((column, at) => {
        const x = left + (at + 0.5) * COLUMN_PX;
        const reach = Math.min(1, Math.sqrt(column[side] / LOUDEST)) * height * 0.17;
        if (reach < 1) return;
        pen.moveTo(x, middle - reach);
        pen.lineTo(x, middle + reach);
      });
      pen.stroke();
    }
    shown.forEach((column, at) => this.#mark(pen, column, left + at * COLUMN_PX, height, width));
  }

  #rule(pen, middle, width) {
    pen.save();
    pen.strokeStyle = this.#colours.line;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(0, middle);
    pen.lineTo(width, middle);
    pen.stroke();
    pen.restore();
  }

  #mark(pen, { held, cut }, x, height, width) {
    if (held) {
      pen.save();
      pen.globalAlpha = 0.16;
      pen.fillStyle = this.#colours.cut;
      pen.fillRect(x, height * 0.5, COLUMN_PX, height * 0.4);
      pen.restore();
    }
    if (!cut) return;
    pen.save();
    pen.strokeStyle = pen.fillStyle = this.#colours.cut;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x, height * 0.12);
    pen.lineTo(x, height * 0.9);
    pen.stroke();
    pen.font = `600 12px ${this.#colours.font}`;
    const fits = x + pen.measureText(CUT).width + 12 < width;
    pen.textAlign = fits ? "left" : "right";
    pen.fillText(CUT, x + (fits ? 6 : -6), height * 0.96);
    pen.restore();
  }
}
