"""Runs an engine on an event loop: one inbox, one drain loop, one timer.

An event is handled and its commands are carried out at once, in the task that brought it; what happens meanwhile waits
in the inbox, so that a session does one thing at a time without a lock or a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

from providers.api import (
    Agent,
    AgentRequest,
    EchoCanceller,
    NoiseFilter,
    SpeechOptions,
    SpeechToText,
    SttStream,
    TextToSpeech,
    TurnDetector,
    TurnSoFar,
    VoiceActivity,
)
from providers.audio import BYTES_PER_SAMPLE
from providers.errors import ProviderError, TimedOut
from session.aio.ear import Ear
from session.aio.echo_cancellation import EchoCancellation
from session.aio.mouth import FrameCounts, Mouth
from session.aio.spans import NoSpans, Spans
from session.aio.stages import Stages
from session.commands import (
    Ask,
    Cancel,
    Clear,
    Command,
    End,
    Feed,
    Finalise,
    JudgeTurn,
    Notify,
    Pause,
    Ping,
    Play,
    Rewind,
    Say,
    Tell,
)
from session.engine import Engine
from session.errors import ErrorCode, SessionError
from session.events import Attached, Detached, Event, Played, Ponged, RoomChanged
from session.notices import EndReason, ErrorOccurred, Notice
from session.pacer import FRAME_MS
from session.trace import RecordedEngine
from session.transport import CanPing, Transport

__all__ = ("Parts", "Runner", "agents_told")

logger = logging.getLogger(__name__)

NOTIFY_LIMIT_S = 5.0
"""How long an agent may take to hear of something that it cannot answer. A session that ends does not wait for it."""

_notifications: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True)
class Parts:
    """What a session is made of, apart from its rules."""

    session_id: str
    stt: SpeechToText
    tts: TextToSpeech
    vad: VoiceActivity
    turn_detector: TurnDetector | None
    echo: EchoCanceller | None
    noise: NoiseFilter | None
    agent: Agent | None
    transport: Transport
    input_rate_hz: int
    automatic_gain: bool = True
    language: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    frames: FrameCounts = field(default_factory=FrameCounts)
    spans: Spans = field(default_factory=NoSpans)


class Runner:
    """One run of a session, from its start to its end. Made within the event loop that it runs on.

    ``tell`` is called with every notice, in order; it must not raise. ``ended`` is done when everything is freed.
    """

    def __init__(self, engine: Engine | RecordedEngine, parts: Parts, tell: Callable[[Notice], None]) -> None:
        self.ended: asyncio.Future[EndReason] = asyncio.get_running_loop().create_future()
        self._engine = engine
        self._parts = parts
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[Event] = deque()  # bounded by what one command can post: a few events
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._streams: dict[int, SttStream] = {}
        self._feeding: int | None = None
        self._fed_turn_id = ""
        self._frame_bytes = parts.input_rate_hz * FRAME_MS // 1000 * BYTES_PER_SAMPLE
        self._left_over_bytes = 0
        echo = self._echo_cancellation(parts)
        self._mouth = Mouth(parts.transport, self._now_ms, self._played, parts.frames, echo)
        self._stages = Stages(
            post=self.post,
            tell=tell,
            clock_ms=self._now_ms,
            queue_audio=self._mouth.queue,
            output_rate_hz=parts.transport.rate_hz,
            spans=parts.spans,
        )
        self._ear = Ear(
            input_rate_hz=parts.input_rate_hz,
            stt_rate_hz=parts.stt.rate_hz,
            vad=parts.vad,
            noise=parts.noise,
            clock_ms=self._now_ms,
            post=self.post,
            trouble=self._trouble,
            echo=echo,
            automatic_gain=parts.automatic_gain,
        )
        self._pings: set[asyncio.Task[None]] = set()  # at most as many as may be missed
        self._ear_task = asyncio.create_task(self._ear.run())
        self._closing: asyncio.Task[None] | None = None

    def handle(self, event: Event) -> None:
        """For calls that must hear of their mistakes: an illegal event changes nothing.

        From within a subscriber the event waits for its turn, and a mistake is only logged.

        :raises SessionError: as ``Engine.handle``.
        """
        if self._draining:
            self._inbox.append(event)
        else:
            self._carry_out(self._engine.handle(event, self._now_ms()))

    def post(self, event: Event) -> None:
        """For what happens by itself: it may come too late for anybody to care."""
        self._inbox.append(event)
        if not self._draining:
            self._carry_out([])

    async def push_audio(self, pcm: bytes) -> None:
        received = self._left_over_bytes + len(pcm)
        frames, self._left_over_bytes = divmod(received, self._frame_bytes)
        self._parts.frames.received += frames
        await self._ear.push(pcm)

    def hold(self) -> None:
        self.handle(Detached())
        self._ear.cut()
        self._left_over_bytes = 0

    def go_on(self) -> None:
        self.handle(Attached())

    def report_played(self, played_ms: int) -> None:
        self._mouth.report(played_ms)

    def mark_reached(self, number: int) -> None:
        self._mouth.reached(number)

    def room_changed(self, *, has_room: bool) -> None:
        self._mouth.room(has_room=has_room)
        self.post(RoomChanged(has_room))

    # --- the loop -----------------------------------------------------------------------------------------------

    def _carry_out(self, commands: list[Command]) -> None:
        self._draining = True
        try:
            for command in commands:
                self._do(command)
            while self._inbox:
                for command in self._handle_next():
                    self._do(command)
        finally:
            self._draining = False
        self._arm()

    def _handle_next(self) -> list[Command]:
        try:
            return self._engine.handle(self._inbox.popleft(), self._now_ms())
        except SessionError as error:  # the session ended while the event waited
            logger.debug("%s", error)
            return []

    def _on_timer(self) -> None:
        self._timer = None
        self._carry_out(self._engine.handle_timeout(self._now_ms()))

    def _arm(self) -> None:
        """A timer that is early costs one look and arms itself again; so one that is set stays, as long as nothing is
        due before it. Deadlines move away some thirty times a second while somebody speaks."""
        deadline_ms = self._engine.next_deadline()
        if self._timer is not None:
            if deadline_ms is not None and self._timer_ms <= deadline_ms:
                return
            self._timer.cancel()
            self._timer = None
        if deadline_ms is not None:
            self._timer_ms = deadline_ms
            self._timer = self._loop.call_at(deadline_ms / 1000, self._on_timer)

    def _now_ms(self) -> int:
        return int(self._loop.time() * 1000)

    def _played(self, turn_id: str, sent_samples: int, heard_samples: int) -> None:
        self.post(Played(turn_id, sent_samples, heard_samples))

    # --- commands -----------------------------------------------------------------------------------------------

    def _do(self, command: Command) -> None:
        match command:
            case Tell():
                self._tell(command.notice)
            case Feed():
                self._feed(command)
            case Finalise():
                self._finalise(command.job, in_speech=command.in_speech)
            case JudgeTurn():
                self._judge(command)
            case Ask():
                self._ask(command)
            case Notify():
                self._notify(command)
            case Say():
                options = SpeechOptions(command.options.voice, command.options.speed, command.options.volume)
                speech = self._stages.say(command.job, self._parts.tts, command.text, options, command.turn_id)
                self._start(command.job, speech)
            case Play():
                self._mouth.play(command.turn_id)
            case Pause():
                self._mouth.pause()
            case Rewind():
                self._mouth.rewind()
            case Clear():
                self._mouth.clear(at_listener=command.at_listener)
            case Cancel():
                self._cancel(command.job)
            case Ping():
                self._ping()
            case End():
                self._closing = asyncio.create_task(self._close(command.reason))
            case _:
                assert_never(command)

    def _feed(self, command: Feed) -> None:
        stt, turn_id = self._parts.stt, command.turn_id
        self._fed_turn_id = turn_id
        try:
            stream = self._stages.open(command.job, stt, self._parts.language)
        except Exception as error:  # noqa: BLE001 -- a vendor's code, and a vendor's mistakes
            self._start(command.job, self._stages.refused(command.job, stt.name, error, turn_id))
            return
        self._streams[command.job] = stream
        self._feeding = command.job
        self._start(command.job, self._stages.transcribe(command.job, stt.name, stream, turn_id))
        feed = partial(self._feed_stream, command.job, stream)
        self._ear.feed_to(feed, again=command.again, back_ms=command.back_ms)

    def _feed_stream(self, job: int, stream: SttStream, pcm: bytes) -> None:
        try:
            stream.feed(pcm)
        except Exception as error:  # noqa: BLE001 -- as above
            self._stream_broke(job, error)

    def _finalise(self, job: int, *, in_speech: bool) -> None:
        stream = self._streams.get(job)
        if stream is None:
            return
        try:
            if in_speech:
                self._ear.cut_off()
            self._stages.finalise(job, self._parts.stt.name, stream)
        except Exception as error:  # noqa: BLE001 -- as above
            self._stream_broke(job, error)

    def _stream_broke(self, job: int, error: Exception) -> None:
        """A stream that takes nothing more fails as one that gives nothing more."""
        self._cancel(job)
        self._start(job, self._stages.refused(job, self._parts.stt.name, error, self._fed_turn_id))

    def _judge(self, command: JudgeTurn) -> None:
        detector = self._parts.turn_detector
        if detector is not None:
            pcm = self._ear.last(detector.audio_ms)
            turn = TurnSoFar(command.text, command.language, pcm, command.history)
            self._start(command.job, self._stages.judge(command.job, detector, turn, command.turn_id))

    def _ask(self, command: Ask) -> None:
        if self._parts.agent is not None:
            request = AgentRequest(
                command.type,
                self._parts.session_id,
                turn_id=command.turn_id,
                transcript=command.transcript,
                preemptive=command.preemptive,
                replaces=command.replaces,
                language=command.language or self._parts.language,
                history=command.history,
                metadata=self._parts.metadata,
                digits=command.digits,
                times_away=command.times_away,
            )
            self._start(command.job, self._stages.ask(command.job, self._parts.agent, request))

    def _notify(self, command: Notify) -> None:
        if self._parts.agent is not None:
            request = AgentRequest(
                command.type,
                self._parts.session_id,
                turn_id=command.turn_id,
                history=command.history,
                metadata=self._parts.metadata,
                heard_text=command.heard_text,
                reason=command.reason,
            )
            task = asyncio.create_task(_notify(self._parts.agent, request, self._parts.spans))
            _notifications.add(task)
            task.add_done_callback(_notifications.discard)

    def _ping(self) -> None:
        if isinstance(self._parts.transport, CanPing):
            task = asyncio.create_task(self._await_pong(self._parts.transport))
            self._pings.add(task)
            task.add_done_callback(self._pings.discard)

    async def _await_pong(self, transport: CanPing) -> None:
        try:
            await transport.ping()
        except Exception as error:  # noqa: BLE001 -- a transport is somebody else's code; no answer is no answer
            logger.debug("a ping failed: %s", error)
        else:
            self.post(Ponged())

    def _start(self, job: int, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[job] = task
        task.add_done_callback(lambda done: self._forget(job, done))

    def _forget(self, job: int, done: asyncio.Task[None]) -> None:
        if self._tasks.get(job) is done:
            del self._tasks[job]
            self._streams.pop(job, None)

    def _cancel(self, job: int) -> None:
        stream = self._streams.pop(job, None)
        if self._feeding == job:
            self._feeding = None
            self._ear.stop_feeding()
        task = self._tasks.get(job)
        if task is not None and stream is not None:
            self._loop.call_soon(task.cancel)  # once it has begun: before, it would never close its stream
        elif task is not None:
            task.cancel()

    # --- the end ------------------------------------------------------------------------------------------------

    async def _close(self, reason: EndReason) -> None:
        """Free everything. Nobody who waits for it can cancel it."""
        tasks, streams = [*self._tasks.values(), *self._pings, self._ear_task], list(self._streams.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # A transcription that was cancelled before its first step has closed nothing.
        await asyncio.gather(*(stream.aclose() for stream in streams), return_exceptions=True)
        self._ear.close()
        self._mouth.close()
        try:
            await self._parts.transport.aclose()
        except Exception:  # the transport's contract forbids it; the session is over all the same
            logger.exception("the transport raised while it was closed")
        self.ended.set_result(reason)

    def _echo_cancellation(self, parts: Parts) -> EchoCancellation | None:
        if parts.echo is None:
            return None
        rates = {"input_rate_hz": parts.input_rate_hz, "output_rate_hz": parts.transport.rate_hz}
        return EchoCancellation(parts.echo, **rates, trouble=self._trouble)

    def _trouble(self, part: str, error: Exception) -> None:
        instead = "it is bypassed" if part in {"echo", "noise"} else "the energy of the signal is used instead"
        retryable = isinstance(error, ProviderError) and error.retryable
        notice = ErrorOccurred(ErrorCode.INTERNAL_ERROR, f"{part}: {error}; {instead}", retryable, fatal=False)
        if self._engine.active:
            self._tell(notice)
        else:
            self._loop.call_soon(self._tell, notice)  # it cannot be opened: of the session's start is told before


async def agents_told() -> None:
    """Wait until every agent has heard what it was told of the sessions on this loop: before the agents are closed."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(task for task in _notifications if task.get_loop() is loop))


async def _notify(agent: Agent, request: AgentRequest, spans: Spans) -> None:
    with spans.stage("notify", agent.name, request.turn_id) as span:
        error: str | None = None
        try:
            async with asyncio.timeout(NOTIFY_LIMIT_S):
                await agent.notify(request)
        except (ProviderError, TimeoutError) as failure:
            error = failure.code if isinstance(failure, ProviderError) else TimedOut.code
            logger.warning("the agent was not told of %s: %s", request.type, failure)
        except Exception:  # an agent is somebody else's code
            error = "internal_error"
            logger.exception("the agent raised what its contract does not allow")
        span.over(error)
