"""An agent behind HTTP: one POST a turn, answered by server-sent events, JSON or plain text.

The page of the wire contract that this obeys is ``docs/``'s chapter on the agent webhook. One attempt is made here;
whether to try again is the session's decision, and what is raised tells it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from typing import get_args

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator
from standardwebhooks import Webhook as Signer

from providers.api import ActionKind, AgentAction, AgentOutput, AgentRequest, AgentText, Message
from providers.errors import Malformed, Overloaded, Rejected
from providers.http_stream import Answer, HttpStream, Limits
from providers.sse import EventStream

__all__ = ("Webhook",)


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
        limits = Limits(
            options.timeout_s, options.connect_timeout_s, options.read_gap_timeout_s, options.max_answer_bytes
        )
        self._http = HttpStream(str(options.url), limits, provider=self.name)
        self._fixed_headers = options.headers
        self._signer = Signer(_key(options.secret.get_secret_value())) if options.secret else None

    async def warm_up(self) -> None:
        """Reads the certificates; the server is not called, for it may start after us."""
        await self._http.open()

    async def ask(self, request: AgentRequest) -> AsyncGenerator[AgentOutput, None]:
        async with self._post(request) as answer:
            if answer.status == 204:
                return
            async with contextlib.aclosing(self._outputs(answer)) as outputs:
                async for output in outputs:
                    yield output
            await answer.drain()

    async def notify(self, request: AgentRequest) -> None:
        async with self._post(request) as answer:
            await answer.drain()

    async def aclose(self) -> None:
        await self._http.aclose()

    # --- the request ----------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _post(self, request: AgentRequest) -> AsyncGenerator[Answer, None]:
        """An answer whose status is good."""
        content = self._content(request)
        async with self._http.post(content.encode(), self._headers(request, content)) as answer:
            self._check_status(answer)
            yield answer

    def _content(self, request: AgentRequest) -> str:
        try:
            return json.dumps(_body_of(request))
        except (TypeError, ValueError) as error:
            raise Rejected(f"the metadata cannot be sent as JSON: {error}", provider=self.name) from error

    def _headers(self, request: AgentRequest, content: str) -> dict[str, str]:
        headers = {
            **self._fixed_headers,
            "content-type": "application/json",
            "accept": "text/event-stream, application/json",
            "webhook-id": _message_id(request),
        }
        if self._signer is not None:
            now = datetime.now(UTC)
            headers["webhook-timestamp"] = str(int(now.timestamp()))
            headers["webhook-signature"] = self._signer.sign(headers["webhook-id"], now, content)
        return headers

    # --- the answer -----------------------------------------------------------------------------------------------

    def _check_status(self, answer: Answer) -> None:
        if 200 <= answer.status < 300:
            return
        what = f"the agent answered {answer.status}"
        if answer.status == 429 or answer.status >= 500:
            raise Overloaded(what, provider=self.name, retry_after_s=answer.retry_after_s)
        raise Rejected(what, provider=self.name)

    def _outputs(self, answer: Answer) -> AsyncGenerator[AgentOutput, None]:
        match answer.content_type:
            case "text/event-stream":
                return self._events(answer)
            case "application/json":
                return self._document(answer)
            case "text/plain":
                return self._plain(answer)
        given, known = answer.content_type, "text/event-stream, application/json and text/plain"
        raise Malformed(f"the answer's content type is {given!r}, known are {known}", provider=self.name)

    async def _events(self, answer: Answer) -> AsyncGenerator[AgentOutput, None]:
        """A stream that ends without ``[DONE]``, but cleanly, is done too."""
        stream = EventStream()
        async with contextlib.aclosing(_text(answer)) as texts:
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

    async def _document(self, answer: Answer) -> AsyncGenerator[AgentOutput, None]:
        async with contextlib.aclosing(_text(answer)) as texts:
            value = self._json("".join([text async for text in texts]), "the answer")
        if value.get("text") is not None:
            yield AgentText(self._string(value["text"], "text"))
        actions = value["actions"] if value.get("actions") is not None else []
        if not isinstance(actions, list):
            raise Malformed(f"actions is {_short(actions)}, a list is expected", provider=self.name)
        for at, action in enumerate(actions):
            yield self._action(action, f"actions[{at}].")

    async def _plain(self, answer: Answer) -> AsyncGenerator[AgentOutput, None]:
        async with contextlib.aclosing(_text(answer)) as texts:
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


async def _text(answer: Answer) -> AsyncGenerator[str, None]:
    async with contextlib.aclosing(answer.text()) as texts:
        async for text in texts:
            answer.began()
            yield text


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


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
