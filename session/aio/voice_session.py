"""A voice session: the engine, run on an event loop with real providers and a transport.

One inbox, one drain loop, one timer. An event is handled and its commands are carried out at once, in the task that
brought it; what happens meanwhile waits in the inbox.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Self, assert_never

from providers.api import (
    Agent,
    AgentRequest,
    Message,
    NoiseFilter,
    SpeechOptions,
    SpeechToText,
    SttStream,
    TextToSpeech,
    TurnDetector,
    TurnSoFar,
    VoiceActivity,
)
from providers.errors import ProviderError
from providers.vad.energy import Energy
from session.aio.callbacks import StateCallback, StateCallbacks
from session.aio.ear import Ear
from session.aio.function_agent import AgentFunction, as_agent
from session.aio.mouth import FrameCounts, Mouth, OutputQueue
from session.aio.say_handle import SayHandle
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
    Play,
    Say,
    Tell,
)
from session.config import SayOptions, SessionConfig
from session.engine import Engine
from session.errors import ErrorCode, SessionError
from session.events import (
    DtmfPressed,
    Event,
    HungUp,
    InterruptAsked,
    Played,
    SayAsked,
    SayCancelled,
    Started,
    Typed,
)
from session.notices import EndReason, ErrorOccurred, Notice, ReplyDone, StateChanged
from session.states import SessionState
from session.transport import Transport

__all__ = ("VoiceSession",)

logger = logging.getLogger(__name__)

NOTIFY_LIMIT_S = 5.0
"""How long an agent may take to hear of something that it cannot answer."""

CALLBACKS_LIMIT_S = 0.05

_notifications: set[asyncio.Task[None]] = set()


class VoiceSession:
    """One conversation. All of it may be called concurrently from tasks of one event loop.

    Audio in and out is signed 16-bit little-endian mono: in at ``input_rate_hz``, out at ``output_rate_hz``, which is
    the transport's rate, or the voice's own where there is no transport. Without ``vad`` the energy of the signal
    decides what is speech; without a turn detector silence alone ends a turn; without an agent nothing answers, and
    ``say`` speaks.

    :raises SessionError: ``invalid_config``, naming the field.
    """

    def __init__(  # noqa: PLR0913 -- the published signature: everything a session is made of, by name
        self,
        *,
        stt: SpeechToText,
        tts: TextToSpeech,
        vad: VoiceActivity | None = None,
        turn_detector: TurnDetector | None = None,
        transport: Transport | None = None,
        noise_cancellation: NoiseFilter | None = None,
        agent: Agent | AgentFunction | None = None,
        on_state_changed: StateCallback | None = None,
        config: SessionConfig | None = None,
        input_rate_hz: int = 16_000,
        metadata: Mapping[str, object] | None = None,
        greeting: str | None = None,
        language: str | None = None,
        frames: FrameCounts | None = None,
    ) -> None:
        for field, given in (("stt", stt), ("tts", tts)):
            if given is None:
                raise SessionError(
                    "config", ErrorCode.INVALID_CONFIG, f"{field} is missing", details={"field": field, "given": None}
                )
        self._config = config or SessionConfig()
        self._id = self._config.session_id or str(uuid.uuid4())
        self._stt, self._tts, self._vad = stt, tts, vad or Energy()
        self._turn_detector, self._noise, self._agent = turn_detector, noise_cancellation, as_agent(agent)
        self._input_rate_hz, self._metadata = input_rate_hz, dict(metadata or {})
        self._greeting, self._language = greeting, language
        self._frames = frames or FrameCounts()
        self._output = OutputQueue(tts.rate_hz)
        self._transport: Transport = self._output if transport is None else transport
        self._engine = Engine(
            self._config,
            rate_hz=self._transport.rate_hz,
            detects_turns=turn_detector is not None,
            has_agent=self._agent is not None,
        )
        self._callbacks = StateCallbacks()
        if on_state_changed is not None:
            self._callbacks.add(on_state_changed)
        self._subscribers: list[Callable[[Notice], None]] = []
        self._handles: dict[str, SayHandle] = {}
        self._inbox: deque[Event] = deque()
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms: int | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._streams: dict[int, SttStream] = {}
        self._feeding: int | None = None
        self._ear: Ear | None = None
        self._mouth: Mouth | None = None
        self._stages: Stages | None = None
        self._ear_task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._end_reason: asyncio.Future[EndReason] | None = None

    # --- what a user sees ---------------------------------------------------------------------------------------

    @property
    def session_id(self) -> str:
        return self._id

    @property
    def state(self) -> SessionState:
        return self._engine.state

    @property
    def history(self) -> tuple[Message, ...]:
        """What the user said, and of each reply what they heard."""
        return self._engine.history

    @property
    def output_rate_hz(self) -> int:
        return self._transport.rate_hz

    @property
    def callback_failures(self) -> int:
        return self._callbacks.failures

    async def __aenter__(self) -> Self:
        if self._config.auto_start:
            await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._engine.active:
            await self.stop()
        elif self._closing is not None:
            await asyncio.shield(self._closing)

    async def start(self) -> None:
        """``initial`` or ``ended`` becomes ``listening``.

        :raises SessionError: ``session_already_active``.
        """
        if self._closing is not None:
            await asyncio.shield(self._closing)
        if not self._engine.active:
            self._set_up()
        self._handle(Started(self._greeting))
        await self._callbacks.settle(CALLBACKS_LIMIT_S)

    async def stop(self, reason: EndReason = EndReason.CLIENT) -> None:
        """Any active state becomes ``ended``; a reply that is playing is cut. Frees all that the session holds.

        :raises SessionError: ``session_not_active``.
        """
        self._handle(HungUp(reason))
        if self._closing is not None:
            await asyncio.shield(self._closing)
        await self._callbacks.settle(CALLBACKS_LIMIT_S)

    async def process_audio(self, pcm: bytes) -> None:
        """The caller's audio, of any length, in order. An odd byte waits for its other half.

        :raises SessionError: ``session_not_active``.
        """
        if self._ear is None or not self._engine.active:
            raise self._not_active("process_audio")
        self._frames.received += 1
        await self._ear.push(pcm)

    async def process_transcript(self, text: str) -> None:
        """A typed turn: it takes the floor from whatever is being said.

        :raises SessionError: ``session_not_active``, ``invalid_input`` for an empty text.
        """
        self._handle(Typed(text))

    async def dtmf(self, digits: str) -> None:
        """:raises SessionError: ``session_not_active``."""
        self._handle(DtmfPressed(digits))

    async def interrupt(self) -> None:
        """A barge-in by command: the reply is cut, and what waits to be said is dropped.

        :raises SessionError: ``session_not_active``.
        """
        self._handle(InterruptAsked())

    async def say(self, text: str, options: SayOptions | None = None) -> SayHandle:
        """Say it when nobody else speaks; returns at once.

        :raises SessionError: ``session_not_active``; ``invalid_input``: the text is empty; ``capacity``: too many wait.
        """
        handle = SayHandle(str(uuid.uuid4()), lambda utterance_id: self._handle(SayCancelled(utterance_id)))
        self._handles[handle.utterance_id] = handle
        try:
            self._handle(SayAsked(handle.utterance_id, text, options or SayOptions()))
        except SessionError:
            del self._handles[handle.utterance_id]
            raise
        return handle

    def played(self, played_ms: int) -> None:
        """The client reports how much of the current reply came out of its speaker."""
        if self._mouth is not None:
            self._mouth.report(played_ms)

    def on_state_changed(self, callback: StateCallback) -> None:
        """Call it, sync or async, with each new state, in order. What it raises is logged and counted."""
        self._callbacks.add(callback)

    def subscribe(self, callback: Callable[[Notice], None]) -> Callable[[], None]:
        """Every notice, in order, in the loop: it must not block. Returns what ends the subscription."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def output(self) -> AsyncIterator[bytes]:
        """The replies, paced in real time: 20 ms frames at ``output_rate_hz``, until the session ends.

        :raises SessionError: ``invalid_state`` where a transport takes the audio.
        """
        if self._transport is not self._output:
            raise SessionError("output", ErrorCode.INVALID_STATE, "the session's transport takes its audio")
        return self._output.frames()

    async def wait_ended(self) -> EndReason:
        """:raises SessionError: ``session_not_active`` before the first start."""
        if self._end_reason is None:
            raise self._not_active("wait_ended")
        return await asyncio.shield(self._end_reason)

    # --- the one loop -------------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        """For calls that must hear of their mistakes: an illegal event raises here and changes nothing."""
        if self._draining:  # called from a subscriber: behind what is being carried out
            self._inbox.append(event)
            return
        self._carry_out(self._engine.handle(event, self._now_ms()))

    def _post(self, event: Event) -> None:
        self._inbox.append(event)
        if not self._draining:
            self._carry_out([])

    def _on_timer(self) -> None:
        self._timer = None
        self._carry_out(self._engine.handle_timeout(self._now_ms()))

    def _carry_out(self, commands: list[Command]) -> None:
        self._draining = True
        try:
            for command in commands:
                self._do(command)
            while self._inbox:
                event = self._inbox.popleft()
                try:
                    commands = self._engine.handle(event, self._now_ms())
                except SessionError as error:  # the session ended while the event waited
                    logger.debug("%s", error)
                    continue
                for command in commands:
                    self._do(command)
        finally:
            self._draining = False
        self._arm()

    def _arm(self) -> None:
        deadline_ms = self._engine.next_deadline()
        if self._timer is not None:
            # A timer that is early is harmless and re-arms itself; deadlines mostly move away, 30 times a second.
            if deadline_ms is not None and self._timer_ms is not None and self._timer_ms <= deadline_ms:
                return
            self._timer.cancel()
            self._timer = None
        if deadline_ms is not None:
            self._timer_ms = deadline_ms
            self._timer = asyncio.get_running_loop().call_at(deadline_ms / 1000, self._on_timer)

    @staticmethod
    def _now_ms() -> int:
        return int(asyncio.get_running_loop().time() * 1000)

    # --- commands -----------------------------------------------------------------------------------------------

    def _do(self, command: Command) -> None:
        match command:
            case Tell():
                self._tell(command.notice)
            case Feed():
                self._feed(command)
            case Finalise():
                if command.job in self._streams and self._stages is not None:
                    self._stages.finalise(command.job, self._stt.name, self._streams[command.job])
            case JudgeTurn():
                self._judge(command)
            case Ask():
                self._ask(command)
            case Notify():
                self._notify(command)
            case Say():
                self._say(command)
            case Play():
                if self._mouth is not None:
                    self._mouth.play(command.turn_id)
            case Pause():
                if self._mouth is not None:
                    self._mouth.pause()
            case Clear():
                if self._mouth is not None:
                    self._mouth.clear(at_listener=command.at_listener)
            case Cancel():
                self._cancel(command.job)
            case End():
                self._closing = asyncio.create_task(self._close(command.reason))
            case _:
                assert_never(command)

    def _feed(self, command: Feed) -> None:
        if self._ear is None or self._stages is None:
            return
        try:
            stream = self._stt.open(language=self._language)
        except ProviderError as error:
            self._start_task(command.job, self._stages.refused(command.job, self._stt.name, error))
            return
        self._streams[command.job] = stream
        self._feeding = command.job
        self._start_task(command.job, self._stages.transcribe(command.job, self._stt.name, stream))
        self._ear.feed_to(stream.feed, again=command.again)

    def _judge(self, command: JudgeTurn) -> None:
        if self._stages is None or self._turn_detector is None or self._ear is None:
            return
        pcm = self._ear.last(self._turn_detector.audio_ms, self._stt.rate_hz)
        turn = TurnSoFar(command.text, command.language, pcm, command.history)
        self._start_task(command.job, self._stages.judge(command.job, self._turn_detector, turn))

    def _ask(self, command: Ask) -> None:
        if self._stages is None or self._agent is None:
            return
        request = AgentRequest(
            command.type,
            self._id,
            turn_id=command.turn_id,
            transcript=command.transcript,
            replaces=command.replaces,
            language=command.language or self._language,
            history=command.history,
            metadata=self._metadata,
            digits=command.digits,
        )
        self._start_task(command.job, self._stages.ask(command.job, self._agent, request))

    def _say(self, command: Say) -> None:
        if self._stages is None:
            return
        options = SpeechOptions(command.options.voice, command.options.speed, command.options.volume)
        self._start_task(command.job, self._stages.say(command.job, self._tts, command.text, options))

    def _notify(self, command: Notify) -> None:
        if self._agent is None:
            return
        request = AgentRequest(
            command.type,
            self._id,
            turn_id=command.turn_id,
            history=command.history,
            metadata=self._metadata,
            heard_text=command.heard_text,
            reason=command.reason,
        )
        task = asyncio.create_task(_notify(self._agent, request))
        _notifications.add(task)
        task.add_done_callback(_notifications.discard)

    def _start_task(self, job: int, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[job] = task
        task.add_done_callback(lambda _: self._tasks.pop(job, None))

    def _cancel(self, job: int) -> None:
        self._streams.pop(job, None)
        if self._feeding == job and self._ear is not None:
            self._feeding = None
            self._ear.stop_feeding()
        if job in self._tasks:
            self._tasks[job].cancel()

    def _tell(self, notice: Notice) -> None:
        if isinstance(notice, ReplyDone) and notice.utterance_id is not None:
            handle = self._handles.pop(notice.utterance_id, None)
            if handle is not None:
                handle.finish(notice)
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(notice)
            except Exception:  # somebody else's code must not break the session
                logger.exception("a subscriber raised")
        if isinstance(notice, StateChanged):
            self._callbacks.call(notice.state)

    # --- life ---------------------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        self._end_reason = asyncio.get_running_loop().create_future()
        self._closing = None
        self._output.reopen()
        self._mouth = Mouth(self._transport, self._now_ms, self._played, self._frames)
        self._stages = Stages(
            post=self._post,
            tell=self._tell,
            clock_ms=self._now_ms,
            queue_audio=self._mouth.queue,
            output_rate_hz=self._transport.rate_hz,
        )
        self._ear = Ear(
            input_rate_hz=self._input_rate_hz,
            stt_rate_hz=self._stt.rate_hz,
            vad=self._vad,
            noise=self._noise,
            clock_ms=self._now_ms,
            post=self._post,
            trouble=self._trouble,
        )
        self._ear_task = asyncio.create_task(self._ear.run())

    async def _close(self, reason: EndReason) -> None:
        """Free everything. Runs once per start, to its end, whoever is cancelled meanwhile."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tasks = list(self._tasks.values())
        if self._ear_task is not None:
            tasks.append(self._ear_task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._ear is not None:
            self._ear.close()
        if self._mouth is not None:
            self._mouth.close()
        self._ear = self._mouth = self._stages = self._ear_task = None
        self._streams.clear()
        try:
            await self._transport.aclose()
        except Exception:  # the transport's contract forbids it; the session is over all the same
            logger.exception("the transport raised while it was closed")
        if self._end_reason is not None and not self._end_reason.done():
            self._end_reason.set_result(reason)

    def _played(self, turn_id: str, sent_samples: int, heard_samples: int) -> None:
        self._post(Played(turn_id, sent_samples, heard_samples))

    def _trouble(self, part: str, error: ProviderError) -> None:
        instead = "it is bypassed" if part == "noise" else "the energy of the signal is used instead"
        self._tell(ErrorOccurred(ErrorCode.INTERNAL_ERROR, f"{part}: {error}; {instead}", error.retryable, fatal=False))

    def _not_active(self, op: str) -> SessionError:
        return SessionError(op, ErrorCode.SESSION_NOT_ACTIVE, f"the session is {self.state}")


async def _notify(agent: Agent, request: AgentRequest) -> None:
    try:
        async with asyncio.timeout(NOTIFY_LIMIT_S):
            await agent.notify(request)
    except (ProviderError, TimeoutError) as error:
        logger.warning("the agent was not told of %s: %s", request.type, error)
    except Exception:  # an agent is somebody else's code
        logger.exception("the agent raised what its contract does not allow")
