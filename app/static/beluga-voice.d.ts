/** A call to a Beluga Voice server from a web page. */

export interface ConnectOptions {
  /** Where the server is, `https://voice.example.com/`. Without it: the server that this module came from. */
  url?: string | URL;
  /** `auto` tries WebRTC, and takes the WebSocket where the server or the network has none. Default `auto`. */
  transport?: "auto" | "webrtc" | "websocket";
  /** `true`: the default one; a device's id; `false`: none, for a call in writing. Default `true`. */
  microphone?: boolean | string;
  /** Id of the loudspeaker, in browsers that let a page choose. */
  speaker?: string;
  /** Constraints beside or instead of ours, which ask the browser to cancel echo, suppress noise and control the gain. */
  audio?: MediaTrackConstraints;
  /** An API key, a client token, or the token of one session. API keys do not belong into web pages. */
  token?: string;
  /** The session to join, made by `POST /v1/sessions`. */
  sessionId?: string;
  /** What the agent is told about the caller. */
  metadata?: Record<string, unknown>;
  /** For WebRTC: the servers that help to find a way through the network. Without it: those that the server names. */
  iceServers?: RTCIceServer[];
  /** Whether a connection that was lost is taken up again. Default `true`. */
  reconnect?: boolean;
}

/** What the call is doing. `connecting`, `reconnecting` and `ended` are the client's, the others the server's. */
export type State =
  | "connecting"
  | "initial"
  | "listening"
  | "processing"
  | "speaking"
  | "away"
  | "reconnecting"
  | "ended";

/** Milliseconds; the stages overlap. What took no part is null. */
export interface Latency {
  /** From the last voiced sample to the end of the turn. */
  endpoint_ms: number | null;
  stt_ms: number | null;
  agent_ms: number | null;
  tts_ms: number | null;
  /** From the last voiced sample to the first audio of the reply. */
  response_ms: number | null;
}

export type Reply =
  | { type: "reply"; turn_id: string; event: "started" }
  | { type: "reply"; turn_id: string; event: "text"; text: string }
  | {
      type: "reply";
      turn_id: string;
      event: "done";
      text: string;
      heard_text: string;
      interrupted: boolean;
      latency: Latency;
    };

/** Each event is a `CustomEvent` with this as its `detail`. */
export interface CallEvents {
  /** Connected, also after each time that the connection was lost. */
  ready: { type: "ready"; session_id: string; resume_token: string };
  state: { type: "state"; state: State; previous: State };
  /** The user begins or stops to speak. */
  speech: { type: "speech"; event: "started" | "stopped"; at_ms: number };
  /** What the user says: replaced by the next one until it is `final`. */
  transcript: {
    type: "transcript";
    turn_id: string;
    text: string;
    final: boolean;
    language?: string;
    confidence?: number;
  };
  reply: Reply;
  /** The user broke in: the reply is cut. Sound is taken care of. */
  clear: { type: "clear" };
  /** The reply is held while it is judged whether the user breaks in. */
  paused: { type: "paused" };
  resumed: { type: "resumed" };
  /** Something failed, and the call goes on. */
  error: { type: "error"; code: string; message: string; retryable: boolean; fatal: boolean };
  /** The connection is lost; before each attempt, counted from 1. */
  reconnecting: { type: "reconnecting"; attempt: number };
  /** The same session goes on. */
  reconnected: { type: "reconnected"; session_id: string };
  /** The session was gone: this is a new one, which knows nothing of what was said. */
  restarted: { type: "restarted"; session_id: string };
  /** The last event. Beside the server's reasons: `network`, `unauthorized`, `taken_over`. */
  ended: { type: "ended"; reason: string; message: string };
}

/** Made by `connect`. */
export class Call extends EventTarget {
  private constructor();
  readonly state: State;
  readonly sessionId: string;
  /** Null until there is a connection. */
  readonly transport: "webrtc" | "websocket" | null;
  readonly muted: boolean;
  /** Id of the microphone that is open. */
  readonly microphone: string | null;
  /** For drawings of your own. */
  readonly analysers: { readonly microphone: AnalyserNode; readonly reply: AnalyserNode };
  /** How loud each side is now: root mean square, 0 to 1. Cheap enough for every animation frame. */
  levels(): { microphone: number; reply: number };
  /** A typed turn, which the agent answers. Lost while there is no connection. */
  send(text: string): void;
  /** A key of a telephone: `0` to `9`, `*`, `#`, `A` to `D`. */
  dtmf(digit: string): void;
  /** Cuts the reply, as the user's voice would. */
  interrupt(): void;
  /** Silence is sent instead of the microphone's sound. */
  mute(muted?: boolean): void;
  /**
   * Has the agent's voice say this, once nobody else speaks. The token must have the scope `manage`.
   * @returns the id of the utterance
   * @throws {ConnectError}
   */
  say(
    text: string,
    options?: { allow_interruptions?: boolean; voice?: string; speed?: number; volume?: number },
  ): Promise<string>;
  /** @throws {MicrophoneError} and the one before goes on */
  setMicrophone(deviceId: string): Promise<void>;
  /** Does nothing in browsers that let no page choose. */
  setSpeaker(deviceId: string): Promise<void>;
  /** Ends the session. `ended` follows. */
  hangUp(): Promise<void>;
  addEventListener<Name extends keyof CallEvents>(
    type: Name,
    listener: (event: CustomEvent<CallEvents[Name]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof CallEvents>(
    type: Name,
    listener: (event: CustomEvent<CallEvents[Name]>) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/**
 * Opens the microphone, connects, and returns once the server is ready. Call it from a click: browsers play and record
 * nothing before one.
 * @throws {MicrophoneError} no server was asked then
 * @throws {ConnectError}
 */
export function connect(options?: ConnectOptions): Promise<Call>;

export interface Device {
  deviceId: string;
  /** Empty until the page has had the microphone. */
  label: string;
}

export function devices(): Promise<{ microphones: Device[]; speakers: Device[] }>;

/** The microphone cannot be had. */
export class MicrophoneError extends Error {
  readonly name: "MicrophoneError";
  /** `insecure`: the page is served without HTTPS, and not from localhost. */
  readonly code: "denied" | "missing" | "busy" | "insecure" | "failed";
}

/** The server cannot be reached, or refuses. */
export class ConnectError extends Error {
  readonly name: "ConnectError";
  /** One of the protocol's, or `network`. */
  readonly code: string;
  readonly retryable: boolean;
  /** Of the WebSocket. */
  readonly closeCode?: number;
  /** Of an HTTP answer. */
  readonly status?: number;
}
