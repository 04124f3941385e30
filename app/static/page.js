// The page: one button, and all that a call shows. The call itself is the library's.

import { connect, devices } from "./beluga-voice.js";
import { Transcript } from "./transcript.js";
import { Waveform } from "./waveform.js";
import { ending, explain, STATES } from "./words.js";

const $ = (id) => document.getElementById(id);
const ANNOUNCED = 6;
const PREFERENCES = ["transport", "microphone", "speaker"];

export let call = null; // for tests, and for whoever looks into it with the console
let connecting = null;
let withMicrophone = true;

const transcript = new Transcript($("transcript"), $("scroller"), announce, showTimes);
const waveform = new Waveform($("waveform"), () => call?.levels() ?? { microphone: 0, reply: 0 });

function announce(text) {
  const line = document.createElement("p");
  line.textContent = text;
  $("announcer").append(line);
  while ($("announcer").childElementCount > ANNOUNCED) $("announcer").firstElementChild.remove();
}

function showState(state) {
  $("state").dataset.state = state;
  $("state-text").textContent = STATES[state] ?? state;
}

function showButtons() {
  const on = call !== null;
  $("talk").toggleAttribute("data-on", on || connecting !== null);
  $("talk-text").textContent = on ? "Hang up" : connecting ? "Cancel" : "Start talking";
  $("interrupt").disabled = call?.state !== "speaking";
  $("mute").disabled = !on || !withMicrophone;
  const muted = call?.muted ?? false;
  $("mute").setAttribute("aria-pressed", String(muted));
  $("mute").lastElementChild.textContent = muted ? "Muted" : "Mute";
}

function showTimes(latency) {
  $("response").textContent = latency.response_ms;
  for (const row of $("stages").children) {
    row.querySelector("dd").textContent = latency[`${row.dataset.stage}_ms`] ?? "–";
  }
}

function showProblem([what, how]) {
  const strong = document.createElement("strong");
  strong.textContent = what;
  const line = document.createElement("p");
  line.append(strong, " ", how);
  $("problem").replaceChildren(line);
  $("problem").hidden = false;
}

function note(text) {
  $("empty").hidden = true;
  transcript.note(text);
  announce(text);
}

// --- the call

/** Without a microphone it goes on in writing. */
async function start() {
  connecting = new AbortController();
  const { signal } = connecting;
  $("problem").hidden = true;
  showState("connecting");
  showButtons();
  try {
    const opened = await open();
    if (signal.aborted) {
      await opened.hangUp();
      return;
    }
    call = opened;
    begin();
  } catch (error) {
    if (!signal.aborted) fail(error);
  } finally {
    if (connecting?.signal === signal) connecting = null;
    showButtons();
  }
}

async function open() {
  const options = { transport: $("transport").value, token: $("token").value || undefined, speaker: $("speaker").value };
  withMicrophone = true;
  try {
    return await connect({ ...options, microphone: $("microphone").value || true });
  } catch (error) {
    if (error.name !== "MicrophoneError") throw error;
    showProblem(explain(error));
    withMicrophone = false;
    return connect({ ...options, microphone: false });
  }
}

function fail(error) {
  showState("idle");
  showProblem(explain(error));
  if (error.code === "unauthorized") {
    $("settings").open = true;
    $("token").focus();
  }
}

function begin() {
  transcript.begin();
  $("empty").hidden = true;
  waveform.start();
  showState(call.state);
  announce("Connected."); // the states of a call change too often to be read out
  const on = (type, react) => call.addEventListener(type, ({ detail }) => react(detail));
  on("state", ({ state }) => {
    showState(state);
    showButtons();
  });
  on("transcript", (message) => transcript.transcript(message));
  on("reply", (message) => transcript.reply(message));
  on("paused", () => waveform.hold(true));
  on("resumed", () => waveform.hold(false));
  on("clear", () => waveform.cut());
  on("error", ({ code, message }) => note(`Error: ${message} (${code})`));
  on("reconnecting", ({ attempt }) => attempt === 1 && note("The connection is lost. Reconnecting …"));
  on("reconnected", () => note("Connected again."));
  on("restarted", () => {
    transcript.begin();
    note("Connected again, but the conversation could not be taken up: this is a new one.");
  });
  on("ended", ({ reason, message }) => end(reason, message));
  listDevices();
}

function end(reason, message) {
  call = null;
  waveform.stop();
  showState("idle");
  const text = ending(reason);
  if (text) note(text);
  else showProblem(explain({ code: reason, message }));
  showButtons();
}

// --- what the user does

$("talk").addEventListener("click", () => {
  if (call) call.hangUp();
  else if (connecting) {
    connecting.abort();
    connecting = null;
    showState("idle");
    showButtons();
  } else start();
});

$("mute").addEventListener("click", () => {
  call.mute(!call.muted);
  showButtons();
});

$("interrupt").addEventListener("click", () => call?.interrupt());

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && call?.state === "speaking") call.interrupt();
});

$("choices").addEventListener("submit", (event) => event.preventDefault());

$("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  if (!call && !connecting) await start();
  if (call && call.state !== "reconnecting") call.send(text);
  else $("text").value = text; // nobody is there to read it
});

window.addEventListener("pagehide", () => call?.hangUp());

// --- settings

async function listDevices() {
  const { microphones, speakers } = await devices();
  fill($("microphone"), microphones);
  fill($("speaker"), speakers);
  $("speaker-choice").hidden = !("setSinkId" in AudioContext.prototype);
}

function fill(select, found) {
  const chosen = select.value || remembered(select.id);
  const named = found.filter(({ deviceId, label }) => label && deviceId !== "default");
  select.replaceChildren(new Option("Default", ""), ...named.map(({ deviceId, label }) => new Option(label, deviceId)));
  if (named.some(({ deviceId }) => deviceId === chosen)) select.value = chosen;
}

function remembered(name) {
  try {
    return localStorage.getItem(`beluga.${name}`) ?? "";
  } catch {
    return ""; // the browser keeps nothing for this page
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(`beluga.${name}`, value);
  } catch {
    // the same
  }
}

for (const name of PREFERENCES) {
  $(name).addEventListener("change", async () => {
    remember(name, $(name).value);
    if (!call || name === "transport") return;
    try {
      if (name === "microphone") {
        await call.setMicrophone($(name).value);
        withMicrophone = true;
        showButtons();
      } else await call.setSpeaker($(name).value);
    } catch (error) {
      showProblem(explain(error));
    }
  });
}

/** A link may bring a token in its fragment, which no server sees and no log holds; it is taken out of the address. */
function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (!token) return;
  $("token").value = token;
  history.replaceState(null, "", location.pathname + location.search);
}

takeToken();
$("transport").value = remembered("transport") || "auto";
navigator.mediaDevices?.addEventListener("devicechange", listDevices);
listDevices();
showButtons();
