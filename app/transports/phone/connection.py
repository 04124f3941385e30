"""One phone call: what its gateway says goes to the session, what the session tells goes to the gateway."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, assert_never

import structlog
from starlette.types import Receive, Send

from app.admission import Bucket
from app.calls import Call
from app.edge import Edge
from app.gateways.control import CallControl, GatewayError
from app.metrics import AUDIO_SAMPLE_EVERY
from app.settings.telephony import Telephony
from app.spans import ids, within
from app.transports.phone.digits import DigitCollector
from app.transports.phone.farewell import Farewell, message_of
from app.transports.phone.line import PhoneLine
from app.transports.phone.steering import Steering
from app.wire.phone.api import (
    Audio,
    Cleared,
    Codec,
    Digit,
    Event,
    Failed,
    FlowChanged,
    HungUp,
    MarkReached,
    Message,
    PhoneCall,
    Respond,
    Started,
    WireError,
)
from providers.inband_dtmf import InbandDtmf
from session import VoiceSession
from session.errors import ErrorCode, SessionError
from session.notices import AgentActed, Ended, EndReason, ErrorOccurred, Notice

__all__ = ("CLOSING_S", "PhoneConnection")

CLOSING_S = 2.0
"""How long a gateway may take to end a call that was hung up, and again to close its socket."""

_TAIL_S = 0.5
"""A gateway that sends no marks has the last word when it was sent, and plays it when it likes: so much later."""

_MARK = re.compile(r"[0-9]{1,15}")
"""What we name marks by; others are not ours."""

_MISTAKES_PER_S = 0.2
_MISTAKES = 10
"""Messages that were not understood: one now and then does no harm, so many in a row are no gateway."""

_HANGS_UP = frozenset({EndReason.AGENT, EndReason.TIMEOUT, EndReason.DELETED})
"""When these end a session, the call is over too. Otherwise only its stream is: the gateway may have a plan for it."""

_CLOSE_CODES = {EndReason.SERVER_SHUTDOWN: 1001, EndReason.ERROR: 1011}

logger = structlog.get_logger("beluga.telephony")


class PhoneConnection:
    """From the start of a call to the close of its socket. ``abort`` cuts the connection at once."""

    def __init__(  # noqa: PLR0913 - what a connection is made of, by name
        self,
        edge: Edge,
        settings: Telephony,
        call: Call,
        phone: PhoneCall,
        codec: Codec,
        *,
        control: CallControl | None,
        abort: Callable[[], None],
    ) -> None:
        self._edge = edge
        self._settings = settings
        self._call = call
        self._phone = phone
        self._codec = codec
        self._abort = abort
        self._loop = asyncio.get_running_loop()
        stalled_after_s = edge.settings.limits.stalled_after
        self._line = PhoneLine(codec, phone, stalled_after_s=stalled_after_s, abort=abort, dropped=self._count_dropped)
        self._steering = Steering(phone, self._line, control)
        self._digits = DigitCollector(settings.dtmf)
        self._digits_timer: asyncio.TimerHandle | None = None
        self._tones = None if codec.abilities.digits_in else InbandDtmf(phone.input.rate_hz)
        self._messages = edge.admission.message_bucket()
        self._mistakes = Bucket(_MISTAKES_PER_S, _MISTAKES)
        self._heard_at_s = self._loop.time()
        self._silence_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[None] | None = None
        self._until_timed = 0
        self._log = logger.bind(gateway=phone.gateway, session_id=call.session_id)

    async def run(self, receive: Receive, send: Send, first: Sequence[Event]) -> None:
        """``first``: what came along with the start."""
        writer = asyncio.create_task(self._line.write(send))
        reason = EndReason.ERROR
        try:
            session = await self._edge.calls.connect(
                self._call,
                self._phone.gateway,
                self._line,
                input_rate_hz=self._phone.input.rate_hz,
                listener=self._told,
            )
            self._watch_for_silence()
            with within(self._call.context):
                await self._listen(receive, session, first)
            reason = EndReason.CLIENT
        except Farewell as farewell:
            self._log.warning("connection closed", code=farewell.code, reason=str(farewell))
            self._line.close(farewell.code, str(farewell))
            reason = EndReason.CLIENT
        except SessionError as error:
            self._log.warning("connection closed", code=1011, reason=error.message)
            self._line.close(1011, error.code)
        except Exception:  # noqa: BLE001 - the edge of the server: one connection's mistake is not another's
            self._log.exception("connection failed", **ids(self._call.context))
            self._line.close(1011, "internal error")
        finally:
            await self._free(reason, writer)

    # --- what the session tells

    def _told(self, notice: Notice) -> None:
        match notice:
            case Ended(reason):
                self._stop_timers()
                self._ending = asyncio.create_task(self._end(reason))
            case AgentActed():
                self._spawn(self._act(notice))
            case _:
                pass

    async def _act(self, did: AgentActed) -> None:
        try:
            if did.action == "transfer":
                await self._steering.transfer(did.to or "")
            elif did.action == "dtmf":
                await self._steering.send_digits(did.digits or "")
        except GatewayError as error:
            self._failed(ErrorCode.AGENT_ERROR, str(error))

    async def _end(self, reason: EndReason) -> None:
        """The session is over: so is the call, or its stream. A gateway that was told to ends it itself."""
        code = _CLOSE_CODES.get(reason, 1000)
        if reason in _HANGS_UP and not self._line.closing:
            if not self._line.returns_marks:
                await asyncio.sleep(_TAIL_S)
            try:
                if await self._steering.hang_up():
                    await asyncio.sleep(CLOSING_S)
            except GatewayError as error:
                self._log.warning("the call was not hung up", reason=str(error))
        self._line.close(code, reason)
        await asyncio.sleep(CLOSING_S)
        self._abort()

    def _failed(self, code: ErrorCode, message: str) -> None:
        self._log.warning("gateway failed", code=str(code), reason=message)
        self._call.tell(ErrorOccurred(code, message, retryable=False, fatal=False))

    # --- what the gateway says

    async def _listen(self, receive: Receive, session: VoiceSession, first: Sequence[Event]) -> None:
        """Until the gateway has left, or hung up."""
        events: Sequence[Event] = first
        while True:
            for event in events:  # before anything else is made: some gateways number what they get
                if isinstance(event, Respond):
                    self._line.respond(event.message)
            for event in events:
                if isinstance(event, HungUp):
                    return
                await self._take(session, event)
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            events = self._decoded(message_of(message))

    def _decoded(self, message: Message) -> list[Event]:
        """
        :raises Farewell: it was the one too many.
        """
        self._heard_at_s = now_s = self._loop.time()
        try:
            events = self._codec.decode(message)
        except WireError as error:
            self._log.warning("message not understood", reason=str(error))
            self._call.tell(ErrorOccurred(ErrorCode.INVALID_INPUT, str(error), retryable=False, fatal=False))
            if not self._mistakes.take(now_s):
                raise Farewell(1007, f"too many messages were not understood; the last: {error}") from None
            events = []
        if not any(isinstance(event, Audio) for event in events) and not self._messages.take(now_s):
            raise Farewell(1008, "too many messages")
        return events

    async def _take(self, session: VoiceSession, event: Event) -> None:
        match event:
            case _ if self._ending is not None or self._line.closing:
                pass  # what is still said is for nobody
            case Audio(pcm):
                await self._hear(session, pcm)
                for digit in () if self._tones is None else self._tones.feed(pcm):
                    await self._pressed(session, digit)
            case MarkReached(name, heard):
                if heard and _MARK.fullmatch(name):
                    session.mark_reached(int(name))
            case Digit(digit):
                await self._pressed(session, digit)
            case FlowChanged(open=has_room):
                self._line.room(has_room=has_room)
                session.room_changed(has_room=has_room)
            case Failed(text, retry_after_ms):
                self._failed(ErrorCode.TRANSPORT_ERROR, f"{self._phone.gateway}: {text}")
                self._line.keep_quiet(retry_after_ms or 0)
            case Cleared() | Respond() | Started() | HungUp():
                pass
            case _:
                assert_never(event)

    async def _hear(self, session: VoiceSession, pcm: bytes) -> None:
        self._until_timed -= 1
        if self._until_timed > 0:
            await session.process_audio(pcm)
            return
        self._until_timed = AUDIO_SAMPLE_EVERY
        with self._edge.metrics.operation("process_audio"):
            await session.process_audio(pcm)

    # --- keys

    async def _pressed(self, session: VoiceSession, digit: str) -> None:
        """A key stops what is being said, whether it is the last of an answer or not."""
        if self._digits_timer is not None:
            self._digits_timer.cancel()
        await session.interrupt()
        digits = self._digits.press(digit, self._now_ms())
        if digits is not None:
            await session.dtmf(digits)
        elif self._digits.due_ms is not None:
            self._digits_timer = self._loop.call_at(
                self._digits.due_ms / 1000, lambda: self._spawn(self._no_more_digits(session))
            )

    async def _no_more_digits(self, session: VoiceSession) -> None:
        digits = self._digits.expire(self._now_ms() + 1)  # a timer may fire a moment early
        if digits is not None and self._ending is None:
            await session.dtmf(digits)

    def _now_ms(self) -> int:
        return int(self._loop.time() * 1000)

    # --- the end

    def _watch_for_silence(self) -> None:
        """A gateway sends some fifty messages a second, whoever speaks."""
        gone_at_s = self._heard_at_s + self._settings.silent_after
        if self._loop.time() < gone_at_s:
            self._silence_timer = self._loop.call_at(gone_at_s, self._watch_for_silence)
            return
        self._log.warning("connection closed", code=1001, reason="nothing came", silent_s=self._settings.silent_after)
        self._spawn(self._edge.calls.end(self._call, EndReason.CLIENT))

    def _stop_timers(self) -> None:
        for timer in (self._digits_timer, self._silence_timer):
            if timer is not None:
                timer.cancel()

    async def _free(self, reason: EndReason, writer: asyncio.Task[None]) -> None:
        """The session first, then whatever is left of the socket, in bounded time."""
        await self._edge.calls.end(self._call, reason)
        self._stop_timers()
        self._line.close(1000, reason)
        await asyncio.wait([writer], timeout=CLOSING_S)
        if not writer.done():
            writer.cancel()
            self._abort()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._ending is not None:
            self._ending.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _count_dropped(self, frames: int) -> None:
        self._edge.frames.dropped_sent += frames
