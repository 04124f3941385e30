"""``WS /v1/ws``: a caller's audio and messages in, by one task; the session's out, by another.

A plain ASGI endpoint: fifty times a second for every caller, what stands between the socket and the session counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from app import auth
from app.admission import Bucket, Reason, Refused
from app.calls import Call
from app.edge import Edge, identify
from app.metrics import AUDIO_SAMPLE_EVERY
from app.spans import ids, incoming, within
from app.transports.jack import Jack
from app.transports.line import Line
from app.wire import messages
from app.wire.messages import (
    MAX_MESSAGE_BYTES,
    BadMessage,
    Dtmf,
    Interrupt,
    Ping,
    Playout,
    Start,
    Stop,
    TypedText,
)
from providers import audio
from providers.audio import Encoding
from session import VoiceSession
from session.errors import ErrorCode, SessionError
from session.notices import EndReason

__all__ = ("AudioSocket",)

logger = structlog.get_logger("beluga.websocket")


class _Farewell(Exception):
    """Say what was wrong, and close with ``code``."""

    def __init__(self, code: int, error: ErrorCode, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.error = error
        self.retryable = retryable

    @property
    def text(self) -> str:
        return messages.error(self.error, str(self), retryable=self.retryable, fatal=True)


class _GoneError(Exception):
    """The client has left."""


def _too_long() -> _Farewell:
    return _Farewell(4413, ErrorCode.INVALID_INPUT, "a message has at most 1 MiB")


_BINARY_FIRST = "binary before start; the first message is start"


class AudioSocket:
    """The endpoint. One call of it is one connection."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        offered = scope.get("subprotocols", [])
        await send({"type": "websocket.accept", "subprotocol": "bearer" if "bearer" in offered else None})
        try:
            start, call = await self._greet(HTTPConnection(scope), receive)
        except _Farewell as farewell:
            await send({"type": "websocket.send", "text": farewell.text})
            await send({"type": "websocket.close", "code": farewell.code, "reason": str(farewell)})
            return
        except _GoneError:
            return
        abort = scope.get("state", {}).get("abort", lambda: None)
        await self._converse(call, start, receive, send, abort)

    # --- before the session

    async def _greet(self, connection: HTTPConnection, receive: Receive) -> tuple[Start, Call]:
        try:
            identity = identify(connection)
            identity.require(auth.Scope.TALK, identity.session_id)
            start = await self._first_message(receive)
            call = self._call_for(start, identity)
        except (auth.Unauthorised, auth.Forbidden):
            self._edge.metrics.refused("unauthorized")
            raise _Farewell(4401, ErrorCode.UNAUTHORIZED, "a valid credential is needed") from None
        except Refused as refused:
            code = 4429 if refused.reason is Reason.RATE else 4503
            raise _Farewell(code, ErrorCode.CAPACITY, str(refused), retryable=True) from None
        if call.session is None and ids(context := incoming(connection.headers)):
            call.context = context
        return start, call

    async def _first_message(self, receive: Receive) -> Start:
        limit_s = self._edge.settings.limits.start_within
        try:
            async with asyncio.timeout(limit_s):
                message = await receive()
        except TimeoutError:
            raise _Farewell(4408, ErrorCode.TIMEOUT, f"no start within {limit_s:g} s") from None
        if message["type"] == "websocket.disconnect":
            raise _GoneError
        text = message.get("text")
        if text is None:
            too_long = len(message["bytes"]) > MAX_MESSAGE_BYTES
            raise _too_long() if too_long else _Farewell(4400, ErrorCode.INVALID_INPUT, _BINARY_FIRST)
        if messages.is_too_long(text):
            raise _too_long()
        try:
            first = messages.decode(text)
        except BadMessage as error:
            raise _Farewell(4400, ErrorCode.INVALID_INPUT, str(error)) from None
        if not isinstance(first, Start):
            raise _Farewell(4400, ErrorCode.INVALID_INPUT, f"{first.type} before start; the first message is start")
        return first

    def _call_for(self, start: Start, identity: auth.Identity) -> Call:
        """The call that was made for this client, or a new one.

        :raises Refused: there is no room.
        """
        calls = self._edge.calls
        if start.resume is not None:
            return self._call_to_resume(start, start.resume, identity)
        session_id = start.session_id or identity.session_id
        if session_id is None:
            self._edge.admit(identity)
            return calls.prepare(metadata=start.metadata)
        if identity.session_id not in {None, session_id}:
            raise auth.Forbidden
        try:
            call = calls.find(session_id)
        except SessionError as error:
            raise _Farewell(4404, error.code, error.message) from None
        if call.session is not None:
            raise _Farewell(4409, ErrorCode.SESSION_ALREADY_ACTIVE, "somebody is connected to this session")
        call.metadata.update(start.metadata)
        return call

    def _call_to_resume(self, start: Start, token: str, identity: auth.Identity) -> Call:
        try:
            call = self._edge.calls.find_by_resume_token(token)
        except SessionError as error:
            raise _Farewell(4404, error.code, error.message) from None
        if start.session_id not in {None, call.session_id} or call.jack is None:
            raise _Farewell(4404, ErrorCode.SESSION_NOT_FOUND, "there is nothing to resume")
        if identity.session_id not in {None, call.session_id}:
            raise auth.Forbidden
        output = start.output or start.audio
        for name, given, before in (
            ("audio", start.audio.sample_rate, call.jack.input_rate_hz),
            ("output", output.sample_rate, call.jack.rate_hz),
        ):
            if given != before:
                text = f"start.{name}.sample_rate: Input should be {before}, as before the session was resumed"
                raise _Farewell(4400, ErrorCode.INVALID_INPUT, text)
        return call

    # --- the session

    async def _converse(
        self, call: Call, start: Start, receive: Receive, send: Send, abort: Callable[[], None]
    ) -> None:
        edge = self._edge
        output = start.output or start.audio
        stalled_after_s = edge.settings.limits.stalled_after
        line = Line(output, stalled_after_s=stalled_after_s, abort=abort, dropped=self._count_dropped)
        writer = asyncio.create_task(line.write(send))
        reason: EndReason | None = EndReason.ERROR
        try:
            session = await self._plug_in(call, start, line)
            with within(call.context):
                await self._listen(receive, call, session, line, start.audio.encoding)
            reason = None
        except _Farewell as farewell:
            line.send(farewell.text)
            line.close(farewell.code, str(farewell))
            reason = EndReason.CLIENT
        except SessionError as error:
            line.send(messages.error(error.code, error.message, retryable=error.retryable, fatal=True))
            line.close(1011, error.code)
        except Exception:  # the edge of the server: one connection's mistake is not another's
            logger.exception("connection failed", session_id=call.session_id, **ids(call.context))
            line.send(messages.error(ErrorCode.INTERNAL_ERROR, "something went wrong in the server", fatal=True))
            line.close(1011, "internal error")
        finally:
            await self._leave(call, line, reason)
            _, unfinished = await asyncio.wait([writer], timeout=stalled_after_s)
            if unfinished:
                writer.cancel()
                abort()

    async def _plug_in(self, call: Call, start: Start, line: Line) -> VoiceSession:
        """Nothing is awaited before the line is plugged in: of two who come at once, the second finds it done."""
        calls, output = self._edge.calls, start.output or start.audio
        if start.resume is not None:
            return calls.resume(call, line, lambda token: messages.ready(call.session_id, token, output))
        line.send(messages.ready(call.session_id, call.resume_token, output))
        rate_hz = start.audio.sample_rate
        call.jack = jack = Jack(line, input_rate_hz=rate_hz)
        return await calls.connect(call, "websocket", jack, input_rate_hz=rate_hz, listener=jack.tell)

    async def _leave(self, call: Call, line: Line, reason: EndReason | None) -> None:
        """Without a ``reason`` the client is gone and may come back. A line that was taken over has no say."""
        if call.jack is None or call.jack.holds(line):
            if reason is None:
                await self._edge.calls.hold(call)
            else:
                await self._edge.calls.end(call, reason)
        line.close(1000, reason or EndReason.CLIENT)

    def _count_dropped(self, frames: int) -> None:
        self._edge.frames.dropped_sent += frames

    async def _listen(
        self, receive: Receive, call: Call, session: VoiceSession, line: Line, encoding: Encoding
    ) -> None:
        """Until the client has left, or was told to."""
        bucket = self._edge.admission.message_bucket()
        until_timed = 0
        while True:
            message = await receive()
            data = message.get("bytes")
            if data is not None:
                if line.closing:
                    continue
                if len(data) > MAX_MESSAGE_BYTES:
                    raise _too_long()
                pcm = audio.decode(data, encoding)
                until_timed -= 1
                if until_timed > 0:
                    await session.process_audio(pcm)
                else:
                    until_timed = AUDIO_SAMPLE_EVERY
                    with self._edge.metrics.operation("process_audio"):
                        await session.process_audio(pcm)
            elif message["type"] == "websocket.disconnect":
                return
            elif not line.closing:
                await self._read(message["text"], bucket, call, session, line)

    async def _read(self, text: str, bucket: Bucket, call: Call, session: VoiceSession, line: Line) -> None:
        if messages.is_too_long(text):
            raise _too_long()
        if not bucket.take(asyncio.get_running_loop().time()):
            raise _Farewell(4429, ErrorCode.CAPACITY, "too many messages", retryable=True)
        try:
            await self._obey(text, call, session, line)
        except BadMessage as error:
            line.send(messages.error(ErrorCode.INVALID_INPUT, str(error)))
        except SessionError as error:
            line.send(messages.error(error.code, error.message, retryable=error.retryable))

    async def _obey(self, text: str, call: Call, session: VoiceSession, line: Line) -> None:
        match messages.decode(text):
            case TypedText(text=typed):
                await session.process_transcript(typed)
            case Dtmf(digit=digit):
                await session.dtmf(digit)
            case Interrupt():
                await session.interrupt()
            case Playout(played_ms=played_ms):
                session.played(int(played_ms))
            case Ping():
                line.send(messages.pong())
            case Stop():
                await self._edge.calls.end(call, EndReason.CLIENT)
            case Start():
                raise BadMessage("start: the session has started")
