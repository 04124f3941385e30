// What the page says: states, and what went wrong and how to mend it.

export const STATES = {
  idle: "Not connected",
  connecting: "Connecting …",
  initial: "Connected",
  listening: "Listening",
  processing: "Thinking …",
  speaking: "Speaking",
  away: "Waiting for you",
  reconnecting: "Reconnecting …",
  ended: "Not connected",
};

const MICROPHONE = {
  denied: [
    "The microphone was refused.",
    "Allow it for this page in the browser's address bar, then start again. Until then you can type.",
  ],
  missing: ["No microphone was found.", "Plug one in, or choose another in the settings. Until then you can type."],
  busy: ["The microphone is busy.", "Another program holds it: close that, then start again. Until then you can type."],
  insecure: [
    "This page may not use the microphone.",
    "Browsers give it to pages over HTTPS or on localhost only. You can type.",
  ],
};

const CONNECTION = {
  unauthorized: ["This server asks for a token.", "Enter it in the settings, then start again."],
  capacity: ["The server is full.", "Try again in a moment."],
  network: ["The server cannot be reached.", "Check the network, then start again."],
  session_not_found: ["That session is over.", "Start a new one."],
};

/** Two sentences: what is wrong, and what to do. */
export function explain(error) {
  if (error.name === "MicrophoneError") return MICROPHONE[error.code] ?? ["The microphone failed.", error.message];
  return CONNECTION[error.code] ?? ["The call did not come about.", error.message];
}

const ENDINGS = {
  client: "You hung up.",
  agent: "The agent hung up.",
  timeout: "The call ended: nobody had spoken for a long time.",
  server_shutdown: "The server was shut down.",
  deleted: "The call was ended on the server.",
  taken_over: "The call goes on in another window.",
};

/** How a call ended, as a note; null where a problem says more. */
export function ending(reason) {
  return ENDINGS[reason] ?? null;
}
