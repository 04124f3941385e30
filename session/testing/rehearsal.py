"""An agent and a scripted caller in a real session, with a real engine and no waiting.

Nothing is mocked but the models: what the caller says is understood to the word, the voice speaks 20 characters a
second, and time is virtual. A call of minutes takes milliseconds, and takes the same course every time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar, assert_never

from providers.api import Agent, Message, TextToSpeech, TurnDetector
from providers.fakes import FakeTts, FakeVad, Gate, after
from session.aio.function_agent import AgentFunction
from session.aio.runner import agents_told
from session.aio.voice_session import VoiceSession
from session.config import SessionConfig
from session.notices import (
    AgentActed,
    Ended,
    EndReason,
    ErrorOccurred,
    Notice,
    ReplyDone,
    ReplyStarted,
    SpeechStarted,
    StateChanged,
    TranscriptChanged,
    TurnDone,
)
from session.states import SessionState
from session.testing.script import Act, Does, HangsUp, Hears, Listens, Pauses, Presses, Says, Types
from session.testing.virtual_time import run
from session.testing.voice import RATE_HZ, Recogniser, Voice

__all__ = ("Rehearsal", "rehearse")

FRAME_MS = 20

_FRAME_BYTES = RATE_HZ * FRAME_MS // 1000 * 2

N = TypeVar("N")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How the call went. Times are milliseconds from its start.

    ``told``: every notice of the session. ``transcript``: what the caller said and what they *heard*, as in the
    session's history. ``left``: the acts that the caller did not come to, because the call was over.
    """

    told: tuple[tuple[int, Notice], ...]
    transcript: tuple[Message, ...]
    left: tuple[Act, ...]
    duration_ms: int

    def of(self, kind: type[N]) -> list[N]:
        """The notices of one kind, in order."""
        return [notice for _, notice in self.told if isinstance(notice, kind)]

    @property
    def said(self) -> list[str]:
        """What the caller said, a turn each, as it was understood."""
        return [notice.text for notice in self.of(TranscriptChanged) if notice.final]

    @property
    def replies(self) -> list[ReplyDone]:
        """What was said to the caller, with ``text``, ``heard_text``, ``interrupted`` and ``latency``."""
        return self.of(ReplyDone)

    @property
    def heard(self) -> list[str]:
        """Of each reply what came out of the caller's speaker; replies of which nothing did are left out."""
        return [reply.heard_text for reply in self.replies if reply.heard_text]

    @property
    def turns(self) -> list[TurnDone]:
        return self.of(TurnDone)

    @property
    def states(self) -> list[tuple[int, SessionState]]:
        """With the time at which each began."""
        return [(at_ms, notice.state) for at_ms, notice in self.told if isinstance(notice, StateChanged)]

    @property
    def errors(self) -> list[ErrorOccurred]:
        return self.of(ErrorOccurred)

    @property
    def actions(self) -> list[AgentActed]:
        """Transfers and keys that the agent asked for."""
        return self.of(AgentActed)

    @property
    def ended(self) -> EndReason:
        return self.of(Ended)[-1].reason


def rehearse(  # noqa: PLR0913 -- everything that a call is made of, by name
    agent: Agent | AgentFunction | None,
    script: Sequence[Act],
    *,
    config: SessionConfig | None = None,
    greeting: str | None = None,
    metadata: Mapping[str, object] | None = None,
    language: str | None = None,
    tts: TextToSpeech | None = None,
    turn_detector: TurnDetector | None = None,
    understood: Gate | None = None,
) -> Rehearsal:
    """Play the script to the agent and tell how it went. To be called where no event loop runs.

    Unless another is given, ``tts`` needs 20 ms for each 100 ms of speech, ``understood`` (awaited before each final
    transcript) takes 100 ms, and silence alone ends a turn.

    :raises ValueError: when something follows ``HangsUp``, or an act is none.
    :raises TimeoutError: when the caller waited in vain, naming the act.
    """
    _check(script)
    voice = Voice()
    config = config or SessionConfig()

    async def call() -> Rehearsal:
        session = VoiceSession(
            stt=Recogniser(voice, understood or after(0.1)),
            tts=tts or FakeTts(gate=after(0.02)),
            vad=FakeVad(),
            turn_detector=turn_detector,
            agent=agent,
            config=replace(config, session_id=config.session_id or "rehearsal", auto_start=False),
            input_rate_hz=RATE_HZ,
            metadata=metadata,
            greeting=greeting,
            language=language,
        )
        undecided_ms = config.endpointing.maximum_silence_ms + config.stt_timeout_ms + 1_000
        return await _Call(session, voice, undecided_ms).play(script)

    return run(call())


def _check(script: Sequence[Act]) -> None:
    if isinstance(script, str):
        raise ValueError(f"the script is the text {script!r}, not a list of acts")  # noqa: TRY004 -- one kind for all
    over = False
    for act in script:
        if not isinstance(act, Act):
            raise ValueError(f"{act!r} is nothing that a caller does")  # noqa: TRY004 -- as above
        if over:
            raise ValueError(f"{act!r} follows HangsUp()")
        over = isinstance(act, HangsUp)


@dataclass(slots=True)
class _Floor:
    """Who has something to say, as far as the notices tell."""

    state: SessionState = SessionState.INITIAL
    speaking_since_ms: int | None = None
    changed_ms: int = 0
    replies: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    spoken_over: set[str] = field(default_factory=set)
    unanswered: bool = False

    def tell(self, at_ms: int, notice: Notice) -> None:
        self.changed_ms = at_ms
        match notice:
            case StateChanged(state):
                self.state = state
                self.speaking_since_ms = at_ms if state is SessionState.SPEAKING else None
            case SpeechStarted():
                self.unanswered = True
                self.spoken_over = set(self.asked)
            case TranscriptChanged(turn_id, final=True):
                self.asked.add(turn_id)
            case ReplyStarted(turn_id):
                self.replies.add(turn_id)
            case ReplyDone(turn_id):
                self.replies.discard(turn_id)
            case TurnDone(turn_id):
                self.asked.discard(turn_id)
                self.unanswered = self.unanswered and turn_id in self.spoken_over
            case _:
                pass

    def free(self, at_ms: int, undecided_ms: int) -> bool:
        """Speech that no turn came of, such as an "uh-huh" into a reply, is waited for until nothing can come."""
        if self.state not in (SessionState.LISTENING, SessionState.AWAY) or self.replies:
            return False
        return not self.unanswered or at_ms - self.changed_ms > undecided_ms


class _Call:
    def __init__(self, session: VoiceSession, voice: Voice, undecided_ms: int) -> None:
        self._session = session
        self._voice = voice
        self._undecided_ms = undecided_ms
        self._floor = _Floor()
        self._told: list[tuple[int, Notice]] = []
        self._to_say = bytearray()
        self._began_s = asyncio.get_running_loop().time()

    @property
    def _now_ms(self) -> int:
        return int((asyncio.get_running_loop().time() - self._began_s) * 1000)

    @property
    def _over(self) -> bool:
        return self._session.state is SessionState.ENDED

    async def play(self, script: Sequence[Act]) -> Rehearsal:
        left = list(script)
        self._session.subscribe(self._tell)
        await self._session.start()
        tasks = [asyncio.create_task(work) for work in (self._act(left), self._speak())]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        if not self._over:
            await self._session.stop()
        await self._session.wait_ended()
        await agents_told()
        for task in done:
            task.result()
        return Rehearsal(tuple(self._told), self._session.history, tuple(left), self._now_ms)

    async def _act(self, left: list[Act]) -> None:
        while left and not self._over:
            await self._do(left.pop(0))
        if not self._over:
            await self._do(Listens())

    async def _do(self, act: Act) -> None:
        match act:
            case str():
                await self._do(Says(act))
                await self._do(Listens())
            case Says():
                self._to_say += self._voice.speak(act.text)
                await self._until(lambda: not self._to_say)
            case Pauses():
                await asyncio.sleep(act.for_s)
            case Listens():
                await self._within(act.limit_s, act, lambda: self._floor.free(self._now_ms, self._undecided_ms))
            case Hears():
                await self._within(act.limit_s, act, lambda: self._floor.speaking_since_ms is not None)
                since_ms = self._floor.speaking_since_ms or 0
                await asyncio.sleep(max(0.0, act.for_s - (self._now_ms - since_ms) / 1000))
            case Types():
                await self._session.process_transcript(act.text)
            case Presses():
                await self._session.dtmf(act.digits)
            case Does():
                await act.action(self._session)
            case HangsUp():
                await self._session.stop()
            case _:
                assert_never(act)

    async def _within(self, limit_s: float, act: Act, there: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await self._until(there)
        except TimeoutError:
            raise TimeoutError(f"{act!r} in vain: the session is {self._session.state}") from None

    async def _until(self, there: Callable[[], bool]) -> None:
        while not there():  # noqa: ASYNC110 -- time is virtual, and nobody is told when it has passed
            await asyncio.sleep(FRAME_MS / 1000)

    async def _speak(self) -> None:
        """The microphone: 20 ms of audio every 20 ms, of what there is to say or of silence."""
        count = 0
        loop = asyncio.get_running_loop()
        while not self._over:
            frame = bytes(self._to_say[:_FRAME_BYTES]).ljust(_FRAME_BYTES, b"\0")
            del self._to_say[:_FRAME_BYTES]
            await self._session.process_audio(frame)
            count += 1
            await asyncio.sleep(max(0.0, self._began_s + count * FRAME_MS / 1000 - loop.time()))

    def _tell(self, notice: Notice) -> None:
        self._told.append((self._now_ms, notice))
        self._floor.tell(self._now_ms, notice)
