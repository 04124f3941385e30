// The conversation as it grows: a list of turns, the latest of them still changing.

const TURNS_KEPT = 100;
const UNHEARD_WORDS = 18; // of what was cut off: a story is long
const NEAR_END_PX = 40;
const BAR_MS = 1500; // what fills a bar; a turn that takes longer fills it too
const STAGES = ["endpoint", "stt", "agent", "tts"];
const NAMES = { endpoint: "endpoint", stt: "speech to text", agent: "agent", tts: "text to speech" };

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/**
 * `list`: the `<ol>`; `scroller`: what it scrolls in; `announce(text)`: tells a screen reader what is final.
 * `answered(latency)`: of every turn.
 */
export class Transcript {
  #list;
  #scroller;
  #announce;
  #answered;
  #turns = new Map();
  #interim = null;
  #atEnd = true;
  #size = "";

  constructor(list, scroller, announce, answered) {
    this.#list = list;
    this.#scroller = scroller;
    this.#announce = announce;
    this.#answered = answered;
    scroller.addEventListener("scroll", () => {
      const { scrollTop, clientHeight, scrollHeight } = scroller;
      if (this.#size !== `${clientHeight} ${scrollHeight}`) return; // the box changed, nobody scrolled
      this.#atEnd = scrollTop + clientHeight >= scrollHeight - NEAR_END_PX;
    });
    new ResizeObserver(() => this.#stay()).observe(scroller);
  }

  transcript({ turn_id: id, text, final }) {
    this.#follow(() => {
      if (!final) {
        this.#showInterim(text);
        return;
      }
      this.#dropInterim();
      if (!text) return;
      this.#forgetBeginning(text);
      const turn = this.#turn(id);
      turn.said ??= turn.node.insertBefore(make("p", "said"), turn.node.firstChild);
      turn.said.textContent = text;
      this.#announce(`You: ${text}`);
    });
  }

  reply(message) {
    this.#follow(() => {
      const turn = this.#turn(message.turn_id);
      turn.answer ??= turn.node.appendChild(make("p", "answer"));
      if (message.event === "text") {
        turn.answer.append(turn.answer.textContent ? " " : "", message.text);
      } else if (message.event === "done") {
        this.#finish(turn, message);
      }
    });
  }

  /** A line that belongs to no turn. */
  note(text) {
    this.#follow(() => {
      this.#dropInterim();
      this.#list.append(make("li", "note", text));
      this.#forgetOldest();
    });
  }

  /** Turns are counted anew by another session. */
  begin() {
    this.#turns.clear();
    this.#dropInterim();
  }

  #turn(id) {
    let turn = this.#turns.get(id);
    if (!turn) {
      turn = { node: make("li", "turn"), said: null, answer: null };
      this.#turns.set(id, turn);
      this.#list.insertBefore(turn.node, this.#interim);
      this.#forgetOldest();
    }
    return turn;
  }

  #showInterim(text) {
    if (!text) return;
    if (!this.#interim) {
      this.#interim = make("li", "turn", make("p", "said interim"));
      this.#interim.setAttribute("aria-hidden", "true"); // it changes with every word
      this.#list.append(this.#interim);
    }
    this.#interim.firstChild.textContent = text;
  }

  #dropInterim() {
    this.#interim?.remove();
    this.#interim = null;
  }

  /** Who goes on speaking is transcribed from the start of the sentence again, in a turn of its own. */
  #forgetBeginning(text) {
    const [id, last] = [...this.#turns].at(-1) ?? [];
    const before = last?.said?.textContent;
    const beginning = before?.replace(/[.?!,…]+$/, "");
    if (beginning && !last.answer && text.length > before.length && text.startsWith(beginning)) {
      last.node.remove();
      this.#turns.delete(id);
    }
  }

  #finish({ node, answer }, { text, heard_text: heard, interrupted, latency }) {
    answer.textContent = text;
    if (!text) answer.remove();
    if (interrupted && text) {
      const unheard = text.startsWith(heard) ? text.slice(heard.length) : "";
      answer.replaceChildren(unheard ? heard : text, " ", make("span", "cut", "you broke in"), " ");
      if (unheard) answer.append(make("span", "unheard", beginningOf(unheard)));
    }
    const told = interrupted && heard ? `${heard} – interrupted` : text;
    if (told) this.#announce(`Agent: ${told}`);
    const line = latencyLine(latency ?? {});
    if (!line) return;
    node.append(line);
    this.#answered(latency);
  }

  #forgetOldest() {
    while (this.#list.childElementCount > TURNS_KEPT) {
      const oldest = this.#list.firstElementChild;
      for (const [id, turn] of this.#turns) if (turn.node === oldest) this.#turns.delete(id);
      oldest.remove();
    }
  }

  /** Keeps the end in view for whoever is looking at it. */
  #follow(change) {
    change();
    this.#stay();
  }

  #stay() {
    const box = this.#scroller;
    this.#size = `${box.clientHeight} ${box.scrollHeight}`;
    if (this.#atEnd) box.scrollTop = box.scrollHeight;
  }
}

function beginningOf(text) {
  const words = text.trim().split(/\s+/);
  return words.length > UNHEARD_WORDS ? `${words.slice(0, UNHEARD_WORDS).join(" ")} …` : words.join(" ");
}

/** The stages as a stacked bar, and how long the user waited; null for a reply that answered nothing. */
function latencyLine(latency) {
  const taken = STAGES.map((stage) => [stage, latency[`${stage}_ms`]]).filter(([, ms]) => ms != null);
  const response = latency.response_ms;
  if (!taken.length || response == null) return null;
  const total = taken.reduce((sum, [, ms]) => sum + ms, 0);
  const bar = make("span", "bar");
  for (const [stage, ms] of taken) {
    const part = make("i", "");
    part.dataset.stage = stage;
    part.style.width = `${(100 * ms) / Math.max(BAR_MS, total)}%`;
    bar.append(part);
  }
  const parts = taken.map(([stage, ms]) => `${NAMES[stage]} ${ms}`).join(", ");
  const line = make("p", "latency", bar, make("span", "", `${response} ms`));
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", `Answered after ${response} ms: ${parts}`);
  line.title = `Answered ${response} ms after the last word: ${parts} ms. The stages overlap.`;
  return line;
}
