// Requests to the server, and why a call does not come about, or goes on in silence.

const ANSWER_WITHIN_MS = 15000;

/** The microphone cannot be had. `code`: `denied`, `missing`, `busy`, `insecure` or `failed`. */
export class MicrophoneError extends Error {
  name = "MicrophoneError";

  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** The server cannot be reached, or refuses. `code`: one of the protocol, or `network`. */
export class ConnectError extends Error {
  name = "ConnectError";

  constructor(code, message, { retryable = false, closeCode, status } = {}) {
    super(message);
    this.code = code;
    this.retryable = retryable;
    this.closeCode = closeCode;
    this.status = status;
  }
}

export function unreachable() {
  return new ConnectError("network", "The server cannot be reached.", { retryable: true });
}

/** What an answer of the HTTP API says, a problem as in RFC 9457. */
function refusal(response, told) {
  return new ConnectError(told.code ?? "network", told.detail ?? `The server answers ${response.status}.`, {
    retryable: response.status === 429 || response.status >= 500,
    status: response.status,
  });
}

/** @throws {ConnectError} */
export async function request(url, token, { method, headers = {}, body }) {
  const credential = token && { Authorization: `Bearer ${token}` };
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    return await fetch(url, { method, headers: { ...headers, ...credential }, body, signal });
  } catch {
    throw unreachable();
  }
}

/** What is told in answer to a JSON body, and its tag. @throws {ConnectError} */
export async function post(url, token, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await request(url, token, { method: "POST", headers, body: JSON.stringify(body) });
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw refusal(response, told);
  return { told, etag: response.headers.get("ETag") };
}
