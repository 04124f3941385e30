"""An agent behind HTTP: one POST a turn, answered by server-sent events, JSON or plain text.

The page of the wire contract that this obeys is ``docs/``'s chapter on the agent webhook. One attempt is made here;
whether to try again is the session's decision, and what is raised tells it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import codecs
import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast, get_args

import httpx
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator
from standardwebhooks import Webhook as Signer

from providers.api import ActionKind, AgentAction, AgentOutput, AgentRequest, AgentText, Message
from providers.errors import Malformed, Overloaded, ProviderError, Rejected, TimedOut, Unreachable
from providers.sse import EventStream

__all__ = ("TRACEPARENT", "Webhook")

TRACEPARENT: ContextVar[str | None] = ContextVar("TRACEPARENT", default=None)
"""The W3C trace context of the running turn: whoever traces sets it in the session's task, the request carries it."""

KEEP_ALIVE_S = 30.0
DRAIN_S = 0.05
"""A connection is used again only when its answer was read to the end, so the end is awaited for this long."""


class Webhook:
    """One connection pool for all sessions. Redirects are not followed, compression is not asked for.

    :raises Rejected: from the constructor, when no URL is given.
    """

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

        url: HttpUrl = Field(description="http or https")
        secret: SecretStr | None = Field(default=None, description="whsec_ and base64, as in Standard Webhooks")
        timeout_s: float = Field(
            default=5, gt=0, le=120, description="from the request to the first byte of its answer"
        )
        connect_timeout_s: float = Field(default=2, gt=0, le=60)
        read_gap_timeout_s: float = Field(default=10, gt=0, le=120, description="between two pieces of an answer")
        max_answer_bytes: int = Field(default=1 << 20, ge=1, le=1 << 30)
        headers: dict[str, str] = Field(default_factory=dict, description="sent with every request")

        @field_validator("secret")
        @classmethod
        def _secret_is_a_key(cls, secret: SecretStr | None) -> SecretStr | None:
            if secret is not None:
                _key(secret.get_secret_value())
            return secret

        @field_validator("headers")
        @classmethod
        def _headers_are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
            for name, value in headers.items():
                if not name.isascii() or not value.isascii() or not f"{name}{value}".isprintable():
                    raise ValueError(f"{name!r}: a header is printable ASCII")
            return headers

    name = "webhook"

    def __init__(self, options: Options | None = None) -> None:
        if options is None:
            raise Rejected("url is required", provider=self.name)
        self._options = options
        self._signer = Signer(_key(options.secret.get_secret_value())) if options.secret else None
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def warm_up(self) -> None:
        """Reads the certificates; the server is not called, for it may start after us."""
        await self._open()

    async def ask(self, request: AgentRequest) -> AsyncGenerator[AgentOutput, None]:
        async with self._post(request) as (response, body):
            if response.status_code == httpx.codes.NO_CONTENT:
                return
            async with contextlib.aclosing(self._answer(response, body)) as outputs:
                async for output in outputs:
                    yield output
            await self._drain(body)

    async def notify(self, request: AgentRequest) -> None:
        async with self._post(request) as (_, body):
            await self._drain(body)

    async def aclose(self) -> None:
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    # --- the request ----------------------------------------------------------------------------------------------

    async def _open(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._closed:
                raise Rejected("closed", provider=self.name)
            if self._client is None:
                # Reading the certificates takes tens of milliseconds, which no other call has to wait for.
                https = self._options.url.scheme == "https"
                verify = await asyncio.to_thread(httpx.create_ssl_context) if https else False
                timeout = httpx.Timeout(None, connect=self._options.connect_timeout_s)
                # No limit of connections: the server admits as many sessions as it has room for.
                limits = httpx.Limits(
                    max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEEP_ALIVE_S
                )
                self._client = httpx.AsyncClient(verify=verify, timeout=timeout, limits=limits)
            return self._client

    @contextlib.asynccontextmanager
    async def _post(self, request: AgentRequest) -> AsyncIterator[tuple[httpx.Response, AsyncGenerator[bytes, None]]]:
        """An answer whose status is good, and its body. Leaving drops the connection unless the body was read."""
        client = await self._open()
        content = self._content(request)
        headers = self._headers(request, content)
        deadline_s = asyncio.get_running_loop().time() + self._options.timeout_s
        with self._translated():
            outgoing = client.build_request("POST", str(self._options.url), content=content, headers=headers)
            async with asyncio.timeout_at(deadline_s):
                response = await client.send(outgoing, stream=True)
        try:
            self._check_status(response)
            async with contextlib.aclosing(self._body(response, deadline_s)) as body:
                yield response, body
        finally:
            await response.aclose()

    def _content(self, request: AgentRequest) -> str:
        try:
            return json.dumps(_body_of(request))
        except (TypeError, ValueError) as error:
            raise Rejected(f"the metadata cannot be sent as JSON: {error}", provider=self.name) from error

    def _headers(self, request: AgentRequest, content: str) -> dict[str, str]:
        headers = {
            **self._options.headers,
            "content-type": "application/json",
            "accept": "text/event-stream, application/json",
            "accept-encoding": "identity",
            "webhook-id": _message_id(request),
        }
        if (traceparent := TRACEPARENT.get()) is not None:
            headers["traceparent"] = traceparent
        if self._signer is not None:
            now = datetime.now(UTC)
            headers["webhook-timestamp"] = str(int(now.timestamp()))
            headers["webhook-signature"] = self._signer.sign(headers["webhook-id"], now, content)
        return headers

    # --- the answer -----------------------------------------------------------------------------------------------

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Overloaded(
                f"the agent answered {status}",
                provider=self.name,
                retry_after_s=_retry_after_s(response.headers.get("retry-after")),
            )
        if not response.is_success:
            raise Rejected(f"the agent answered {status}", provider=self.name)

    def _answer(self, response: httpx.Response, body: AsyncIterator[bytes]) -> AsyncGenerator[AgentOutput, None]:
        content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        match content_type:
            case "text/event-stream":
                return self._events(body)
            case "application/json":
                return self._document(body)
            case "text/plain":
                return self._plain(body)
        allowed = "text/event-stream, application/json and text/plain"
        raise Malformed(f"the answer's content type is {content_type!r}, known are {allowed}", provider=self.name)

    async def _body(self, response: httpx.Response, first_s: float) -> AsyncGenerator[bytes, None]:
        """The body as it comes: bounded in size, and in time, the first piece by the loop's time ``first_s``."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise Malformed("the answer is compressed, which was not asked for", provider=self.name)
        loop = asyncio.get_running_loop()
        received, deadline_s = 0, first_s
        with self._translated():
            # httpx promises an iterator only; it is a generator, and must be closed before the response is.
            async with contextlib.aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as chunks:
                while True:
                    async with asyncio.timeout_at(deadline_s):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        return
                    received += len(chunk)
                    if received > self._options.max_answer_bytes:
                        limit = self._options.max_answer_bytes
                        raise Malformed(f"the answer is longer than {limit} bytes", provider=self.name)
                    yield chunk
                    deadline_s = loop.time() + self._options.read_gap_timeout_s

    async def _text(self, body: AsyncIterator[bytes]) -> AsyncGenerator[str, None]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        with self._translated():
            async for chunk in body:
                if text := decoder.decode(chunk):
                    yield text
            decoder.decode(b"", final=True)

    async def _events(self, body: AsyncIterator[bytes]) -> AsyncGenerator[AgentOutput, None]:
        """A stream that ends without ``[DONE]``, but cleanly, is done too."""
        stream = EventStream()
        async with contextlib.aclosing(self._text(body)) as texts:
            async for text in texts:
                for data in stream.push(text):
                    if data == "[DONE]":
                        return
                    for output in self._event(data):
                        yield output

    def _event(self, data: str) -> list[AgentOutput]:
        value = self._json(data, "an event's data")
        outputs: list[AgentOutput] = []
        if "delta" in value:
            outputs.append(AgentText(self._string(value["delta"], "delta")))
        if "action" in value:
            outputs.append(self._action(value, ""))
        return outputs

    async def _document(self, body: AsyncIterator[bytes]) -> AsyncGenerator[AgentOutput, None]:
        async with contextlib.aclosing(self._text(body)) as texts:
            value = self._json("".join([text async for text in texts]), "the answer")
        if value.get("text") is not None:
            yield AgentText(self._string(value["text"], "text"))
        actions = value["actions"] if value.get("actions") is not None else []
        if not isinstance(actions, list):
            raise Malformed(f"actions is {_short(actions)}, a list is expected", provider=self.name)
        for at, action in enumerate(actions):
            yield self._action(action, f"actions[{at}].")

    async def _plain(self, body: AsyncIterator[bytes]) -> AsyncGenerator[AgentOutput, None]:
        async with contextlib.aclosing(self._text(body)) as texts:
            async for text in texts:
                yield AgentText(text)

    def _json(self, data: str, what: str) -> dict[str, object]:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Malformed(f"{what} is not JSON: {error}", provider=self.name) from error
        if not isinstance(value, dict):
            raise Malformed(f"{what} is {_short(value)}, an object is expected", provider=self.name)
        return value

    def _string(self, value: object, what: str) -> str:
        if not isinstance(value, str):
            raise Malformed(f"{what} is {_short(value)}, a string is expected", provider=self.name)
        # Half of a surrogate pair is valid in JSON and nowhere else; some servers cut their deltas there.
        return value.encode(errors="ignore").decode()

    def _action(self, value: object, where: str) -> AgentAction:
        if not isinstance(value, dict):
            raise Malformed(f"{where.rstrip('.')} is {_short(value)}, an object is expected", provider=self.name)
        kind = value.get("action")
        match kind:
            case "hangup":
                return AgentAction("hangup")
            case "transfer":
                return AgentAction("transfer", to=self._string(value.get("to"), f"{where}to"))
            case "dtmf":
                return AgentAction("dtmf", digits=self._string(value.get("digits"), f"{where}digits"))
        known = ", ".join(get_args(ActionKind))
        raise Malformed(f"{where}action is {_short(kind)}, known are {known}", provider=self.name)

    async def _drain(self, body: AsyncIterator[bytes]) -> None:
        """Let the connection be used again, if the rest of the answer comes at once. Nobody reads it."""
        with contextlib.suppress(TimeoutError, ProviderError):
            async with asyncio.timeout(DRAIN_S):
                async for _ in body:
                    pass

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """What httpx raises, and the limits of time, as errors of our own tree."""
        try:
            yield
        except TimeoutError as error:
            raise TimedOut("the agent sent nothing within the limit", provider=self.name) from error
        except httpx.ConnectTimeout as error:
            limit_s = self._options.connect_timeout_s
            raise Unreachable(f"no connection within {limit_s:g} s", provider=self.name) from error
        except httpx.TimeoutException as error:
            raise TimedOut(f"{type(error).__name__}", provider=self.name) from error
        except (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError) as error:
            raise Unreachable(str(error) or type(error).__name__, provider=self.name) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Rejected(str(error) or type(error).__name__, provider=self.name) from error
        except UnicodeDecodeError as error:
            raise Malformed(f"the answer is not UTF-8: {error.reason}", provider=self.name) from error


def _body_of(request: AgentRequest) -> dict[str, object]:
    history = [_message(message) for message in request.history]
    body: dict[str, object] = {
        "type": request.type,
        "session_id": request.session_id,
        "turn_id": request.turn_id,
        "transcript": request.transcript,
        "preemptive": request.preemptive,
        "language": request.language,
        "history": history,
        "metadata": dict(request.metadata),
    }
    if request.replaces is not None:
        body["replaces"] = request.replaces
    match request.type:
        case "session.ended":
            del body["history"]
            body |= {"transcript": history, "reason": request.reason}
        case "turn.interrupted":
            body["heard_text"] = request.heard_text
        case "dtmf":
            body["digits"] = request.digits
        case "user.away":
            body["times_away"] = request.times_away
    return body


def _message(message: Message) -> Mapping[str, object]:
    return {"role": message.role, "text": message.text, "interrupted": message.interrupted}


def _message_id(request: AgentRequest) -> str:
    """The same for every attempt at the same thing: a receiver that sees it twice knows (Standard Webhooks)."""
    what = json.dumps([request.session_id, request.type, request.turn_id])
    return f"msg_{hashlib.sha256(what.encode()).hexdigest()[:32]}"


def _key(secret: str) -> bytes:
    encoded = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if encoded == secret or not key:
        raise ValueError("a secret is whsec_ followed by base64")
    return key


def _retry_after_s(value: str | None) -> float | None:
    """Seconds from now, given as seconds or as a date (RFC 9110 § 10.2.3); None where it is neither."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
