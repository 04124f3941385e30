"""A voice session as its users see it."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Self

from providers.api import Agent, EchoCanceller, Message, NoiseFilter, TextToSpeech, TurnDetector, VoiceActivity
from providers.errors import ProviderError
from providers.vad.energy import Energy
from session.aio.callbacks import StateCallback, StateCallbacks
from session.aio.chunked_speech_to_text import AnySpeechToText, as_speech_to_text
from session.aio.function_agent import AgentFunction, as_agent
from session.aio.mouth import FrameCounts, OutputQueue
from session.aio.runner import Parts, Runner
from session.aio.say_handle import SayHandle
from session.aio.spans import NoSpans, Spans
from session.config import SayOptions, SessionConfig
from session.errors import ErrorCode, SessionError
from session.events import DtmfPressed, HungUp, InterruptAsked, SayAsked, SayCancelled, Started, Typed
from session.notices import EndReason, Notice, ReplyDone, StateChanged
from session.states import SessionState
from session.trace import EngineMade, RecordedEngine, Recorder
from session.transport import CanPing, Transport

__all__ = ("VoiceSession",)

logger = logging.getLogger(__name__)

CALLBACKS_LIMIT_S = 0.05
"""How long ``start`` and ``stop`` wait for state callbacks that are async, so that they have mostly run by then."""


class VoiceSession:
    """One conversation. All of it may be called concurrently from tasks of one event loop.

    Audio in and out is signed 16-bit little-endian mono: in at ``input_rate_hz``, out at ``output_rate_hz``, which is
    the transport's rate, or the voice's own where there is no transport. Without ``vad`` the energy of the signal
    decides what is speech; without a turn detector silence alone ends a turn; without an agent nothing answers, and
    ``say`` speaks. ``stt`` may also be a recogniser of recordings, or a function of 16 kHz PCM that returns its text:
    an utterance is then transcribed in chunks (``SessionConfig.chunking``). ``trace`` is given the lines of a recording
    of the call (``session.trace``): they hold what was said. ``spans`` is told of every job (``session.aio.spans``).

    :raises SessionError: ``invalid_config``, naming the field.
    """

    def __init__(  # noqa: PLR0913 -- the published signature: everything a session is made of, by name
        self,
        *,
        stt: AnySpeechToText,
        tts: TextToSpeech,
        vad: VoiceActivity | None = None,
        turn_detector: TurnDetector | None = None,
        transport: Transport | None = None,
        echo_cancellation: EchoCanceller | None = None,
        noise_cancellation: NoiseFilter | None = None,
        agent: Agent | AgentFunction | None = None,
        on_state_changed: StateCallback | None = None,
        config: SessionConfig | None = None,
        input_rate_hz: int = 16_000,
        metadata: Mapping[str, object] | None = None,
        greeting: str | None = None,
        language: str | None = None,
        frames: FrameCounts | None = None,
        spans: Spans | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        for field, given in (("stt", stt), ("tts", tts)):
            if given is None:
                raise SessionError(
                    "config", ErrorCode.INVALID_CONFIG, f"{field} is missing", details={"field": field, "given": None}
                )
        config = config or SessionConfig()
        self._auto_start = config.auto_start
        self._greeting = greeting
        frames = frames or FrameCounts()
        self._output = OutputQueue(tts.rate_hz, frames)
        self._parts = Parts(
            session_id=config.session_id or str(uuid.uuid4()),
            stt=as_speech_to_text(stt, config.chunking),
            tts=tts,
            vad=vad or Energy(),
            turn_detector=turn_detector,
            echo=echo_cancellation,
            noise=noise_cancellation,
            agent=as_agent(agent),
            transport=self._output if transport is None else transport,
            input_rate_hz=input_rate_hz,
            automatic_gain=config.automatic_gain,
            language=language,
            metadata=dict(metadata or {}),
            frames=frames,
            spans=spans or NoSpans(),
        )
        made = EngineMade(
            config,
            rate_hz=self._parts.transport.rate_hz,
            detects_turns=turn_detector is not None,
            has_agent=agent is not None,
            pings=isinstance(self._parts.transport, CanPing),
        )
        self._engine = made.make() if trace is None else RecordedEngine(made.make(), Recorder(trace, made))
        self._callbacks = StateCallbacks()
        if on_state_changed is not None:
            self._callbacks.add(on_state_changed)
        self._subscribers: list[Callable[[Notice], None]] = []
        self._handles: dict[str, SayHandle] = {}
        self._runner: Runner | None = None

    @property
    def session_id(self) -> str:
        return self._parts.session_id

    @property
    def state(self) -> SessionState:
        return self._engine.state

    @property
    def history(self) -> tuple[Message, ...]:
        """What the user said, and of each reply what they heard."""
        return self._engine.history

    @property
    def output_rate_hz(self) -> int:
        return self._parts.transport.rate_hz

    @property
    def callback_failures(self) -> int:
        return self._callbacks.failures

    async def __aenter__(self) -> Self:
        if self._auto_start:
            await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._engine.active:
            await self.stop()
        elif self._runner is not None:
            await asyncio.shield(self._runner.ended)

    async def start(self) -> None:
        """``initial`` or ``ended`` becomes ``listening``.

        A canceller of noise or echo that cannot be opened is bypassed, and a voice activity replaced by the energy of
        the signal, as when they fail later: subscribers are told.

        :raises SessionError: ``session_already_active``; ``internal_error`` when the parts do not fit together.
        """
        if self._runner is not None and not self._engine.active:
            await asyncio.shield(self._runner.ended)
        if not self._engine.active:
            try:
                self._runner = Runner(self._engine, self._parts, self._tell)
            except Exception as error:  # a vendor's code, and a vendor's mistakes
                told = str(error) if isinstance(error, ProviderError) else f"{type(error).__name__}: {error}"
                raise SessionError("start", ErrorCode.INTERNAL_ERROR, told, cause=error) from error
            self._output.reopen()
        self._running("start").handle(Started(self._greeting))
        await self._callbacks.settle(CALLBACKS_LIMIT_S)

    async def stop(self, reason: EndReason = EndReason.CLIENT) -> None:
        """Any active state becomes ``ended``; a reply that is playing is cut. Frees all that the session holds.

        :raises SessionError: ``session_not_active``.
        """
        runner = self._running("stop")
        runner.handle(HungUp(reason))
        await asyncio.shield(runner.ended)
        await self._callbacks.settle(CALLBACKS_LIMIT_S)

    async def process_audio(self, pcm: bytes) -> None:
        """The caller's audio, of any length, in order. An odd byte waits for its other half.

        :raises SessionError: ``session_not_active``.
        """
        if self._runner is None or not self._engine.active:
            raise self._not_active("process_audio")
        await self._runner.push_audio(pcm)

    async def process_transcript(self, text: str) -> None:
        """A typed turn: it takes the floor from whatever is being said.

        :raises SessionError: ``session_not_active``, ``invalid_input`` for an empty text.
        """
        self._running("process_transcript").handle(Typed(text))

    async def dtmf(self, digits: str) -> None:
        """:raises SessionError: ``session_not_active``."""
        self._running("dtmf").handle(DtmfPressed(digits))

    async def interrupt(self) -> None:
        """A barge-in by command: the reply is cut, and what waits to be said is dropped.

        :raises SessionError: ``session_not_active``.
        """
        self._running("interrupt").handle(InterruptAsked())

    async def say(self, text: str, options: SayOptions | None = None) -> SayHandle:
        """Say it when nobody else speaks; returns at once.

        :raises SessionError: ``session_not_active``; ``invalid_input``: the text is empty; ``capacity``: too many wait.
        """
        runner = self._running("say")
        handle = SayHandle(str(uuid.uuid4()), lambda utterance_id: runner.post(SayCancelled(utterance_id)))
        self._handles[handle.utterance_id] = handle
        try:
            runner.handle(SayAsked(handle.utterance_id, text, options or SayOptions()))
        except SessionError:
            del self._handles[handle.utterance_id]
            raise
        return handle

    def hold(self) -> None:
        """The listener is gone, and may come back: the reply waits where it was heard to, and everything else goes on.

        Audio that comes afterwards is another stream. Holding twice is holding once.

        :raises SessionError: ``session_not_active``.
        """
        self._running("hold").hold()

    def go_on(self) -> None:
        """Somebody listens again: the reply goes on with the sample after the last that was heard.

        :raises SessionError: ``session_not_active``.
        """
        self._running("go_on").go_on()

    def played(self, played_ms: int) -> None:
        """The client reports how much of the current reply came out of its speaker, since the last ``go_on`` if any.

        The wire does not say which reply that is: what a report claims past what was sent of the current one does not
        count, so that one which comes too late does the next reply little harm.
        """
        if self._runner is not None and self._engine.active:
            self._runner.report_played(played_ms)

    def mark_reached(self, number: int) -> None:
        """A mark of the transport's (``HasBuffer``) came back: what was sent before it has been played."""
        if self._runner is not None and self._engine.active:
            self._runner.mark_reached(number)

    def room_changed(self, *, has_room: bool) -> None:
        """The transport's buffer (``HasBuffer``) is full, or has room again; meanwhile nothing is sent."""
        if self._runner is not None and self._engine.active:
            self._runner.room_changed(has_room=has_room)

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
        if self._parts.transport is not self._output:
            raise SessionError("output", ErrorCode.INVALID_STATE, "the session's transport takes its audio")
        return self._output.frames()

    async def wait_ended(self) -> EndReason:
        """:raises SessionError: ``session_not_active`` before the first start."""
        return await asyncio.shield(self._running("wait_ended").ended)

    def _running(self, op: str) -> Runner:
        if self._runner is None:
            raise self._not_active(op)
        return self._runner

    def _not_active(self, op: str) -> SessionError:
        return SessionError(op, ErrorCode.SESSION_NOT_ACTIVE, f"the session is {self.state}")

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
