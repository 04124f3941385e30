// Why a call does not come about, or goes on in silence.

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

/** The answer to a JSON body. @throws {ConnectError} */
export async function post(url, token, body) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  let response;
  try {
    response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  } catch {
    throw unreachable();
  }
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw refusal(response, told);
  return told;
}
