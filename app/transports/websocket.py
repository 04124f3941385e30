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
from app.admission import Reason, Refused
from app.calls import Call
from app.edge import Edge, identify
from app.metrics import AUDIO_SAMPLE_EVERY
from app.spans import ids, incoming, within
from app.transports.commands import Commands
from app.transports.farewell import Farewell, too_long
from app.transports.jack import Jack
from app.transports.joining import call_for, call_to_resume
from app.transports.line import Line
from app.wire import messages
from app.wire.messages import MAX_MESSAGE_BYTES, BadMessage, Start
from providers import audio
from providers.audio import Encoding
from session import VoiceSession
from session.errors import ErrorCode, SessionError
from session.notices import EndReason

__all__ = ("AudioSocket",)

logger = structlog.get_logger("beluga.websocket")


class _GoneError(Exception):
    """The client has left."""


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
        except Farewell as farewell:
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
            raise Farewell(4401, ErrorCode.UNAUTHORIZED, "a valid credential is needed") from None
        except Refused as refused:
            code = 4429 if refused.reason is Reason.RATE else 4503
            raise Farewell(code, ErrorCode.CAPACITY, str(refused), retryable=True) from None
        if call.session is None and ids(context := incoming(connection.headers)):
            call.context = context
        return start, call

    async def _first_message(self, receive: Receive) -> Start:
        limit_s = self._edge.settings.limits.start_within
        try:
            async with asyncio.timeout(limit_s):
                message = await receive()
        except TimeoutError:
            raise Farewell(4408, ErrorCode.TIMEOUT, f"no start within {limit_s:g} s") from None
        if message["type"] == "websocket.disconnect":
            raise _GoneError
        text = message.get("text")
        if text is None:
            is_huge = len(message["bytes"]) > MAX_MESSAGE_BYTES
            raise too_long() if is_huge else Farewell(4400, ErrorCode.INVALID_INPUT, _BINARY_FIRST)
        if messages.is_too_long(text):
            raise too_long()
        try:
            first = messages.decode(text)
        except BadMessage as error:
            raise Farewell(4400, ErrorCode.INVALID_INPUT, str(error)) from None
        if not isinstance(first, Start):
            raise Farewell(4400, ErrorCode.INVALID_INPUT, f"{first.type} before start; the first message is start")
        return first

    def _call_for(self, start: Start, identity: auth.Identity) -> Call:
        """The call that was made for this client, or a new one.

        :raises Refused: there is no room.
        """
        session_id = start.session_id
        try:
            if start.resume is None:
                return call_for(self._edge, identity, session_id=session_id, metadata=start.metadata)[0]
            call = call_to_resume(self._edge, identity, session_id=session_id, token=start.resume)
        except SessionError as error:
            taken = error.code is ErrorCode.SESSION_ALREADY_ACTIVE
            raise Farewell(4409 if taken else 4404, error.code, error.message) from None
        self._same_rates(start, call)
        return call

    @staticmethod
    def _same_rates(start: Start, call: Call) -> None:
        if call.jack is None:
            return
        output = start.output or start.audio
        for name, given, before in (
            ("audio", start.audio.sample_rate, call.jack.input_rate_hz),
            ("output", output.sample_rate, call.jack.rate_hz),
        ):
            if given != before:
                text = f"start.{name}.sample_rate: Input should be {before}, as before the session was resumed"
                raise Farewell(4400, ErrorCode.INVALID_INPUT, text)

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
        except Farewell as farewell:
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
            return calls.resume(call, "websocket", line, lambda token: messages.ready(call.session_id, token, output))
        line.send(messages.ready(call.session_id, call.resume_token, output))
        rate_hz = start.audio.sample_rate
        call.jack = jack = Jack(line, input_rate_hz=rate_hz)
        return await calls.connect(
            call,
            "websocket",
            jack,
            input_rate_hz=rate_hz,
            listener=jack.tell,
            echo_cancelled=start.echo_cancelled,
        )

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
        commands = Commands(self._edge, call, session, line)
        until_timed = 0
        while True:
            message = await receive()
            data = message.get("bytes")
            if data is not None:
                if line.closing:
                    continue
                if len(data) > MAX_MESSAGE_BYTES:
                    raise too_long()
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
                await commands.obey(message["text"])
