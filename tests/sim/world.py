"""A call without a clock: the engine, a scripted caller, and providers in some weather, on virtual time.

Every sample of synthesised audio carries the number of the job that made it, so what the pacer lets out tells which
reply was played, and when.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

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
    Rewind,
    Say,
    Tell,
)
from session.config import SessionConfig
from session.engine import Engine
from session.events import (
    AgentFinished,
    AgentSaid,
    Event,
    Failed,
    Heard,
    Judged,
    Played,
    Spoken,
    SpokenWhole,
    Started,
    Transcribed,
)
from session.notices import Notice, ReplyDone, StateChanged
from session.pacer import FRAME_MS, Pacer
from session.states import SessionState
from tests.sim.caller import WINDOW_MS, Caller
from tests.sim.weather import FAIR, Weather

__all__ = ("RATE_HZ", "PlayedFrame", "World")

RATE_HZ = 8_000
SPOKEN_MS_PER_CHARACTER = 65
N = TypeVar("N")


@dataclass(frozen=True, slots=True)
class PlayedFrame:
    at_ms: int
    job: int
    samples: int


@dataclass(slots=True)
class _Stream:
    since_ms: int
    request: int


class World:
    """``log`` holds every event that the engine was given, ``told`` every notice, with their times."""

    def __init__(
        self, caller: Caller | None = None, weather: Weather = FAIR, config: SessionConfig | None = None
    ) -> None:
        self.config = config or SessionConfig()
        self.engine = Engine(self.config, rate_hz=RATE_HZ, detects_turns=True)
        self.caller = caller or Caller()
        self.weather = weather
        self.now_ms = 0
        self.log: list[tuple[int, Event | None]] = []
        self.given: list[list[Command]] = []
        self.told: list[tuple[int, Notice]] = []
        self.played: list[PlayedFrame] = []
        self.asked: list[Ask] = []
        self.notified: list[Notify] = []
        self.says: dict[int, Say] = {}
        self.turn_of_job: dict[int, str] = {}
        self.samples_of_job: dict[int, int] = {}
        self.audio_flows = True
        self.caller_mishears = ""  # a final transcript that differs from the interims
        self.ended = False
        self._microphone_is_on = True
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._cancelled: set[int] = set()
        self._streams: dict[int, _Stream] = {}
        self._requests = {"stt": 0, "turn": 0, "agent": 0, "tts": 0}
        self._pacer = Pacer(RATE_HZ)
        self._playing_turn = ""
        self._ticking = False

    # --- running ------------------------------------------------------------------------------------------------

    def start(self, greeting: str | None = None) -> World:
        self.happen(Started(greeting))
        self._later(WINDOW_MS, self._window)
        return self

    def run_until(self, until_ms: int) -> World:
        while True:
            deadline_ms = self.engine.next_deadline()
            agenda_ms = self._agenda[0][0] if self._agenda else None
            if agenda_ms is not None and agenda_ms <= until_ms and (deadline_ms is None or agenda_ms <= deadline_ms):
                self.now_ms, _, act = heapq.heappop(self._agenda)
                act()
            elif deadline_ms is not None and deadline_ms <= until_ms:
                self.now_ms = max(self.now_ms, deadline_ms)
                self.log.append((self.now_ms, None))
                self._carry_out(self.engine.handle_timeout(self.now_ms))
            else:
                self.now_ms = until_ms
                return self

    def at(self, at_ms: int, event: Event) -> World:
        self._later(at_ms - self.now_ms, lambda: self.happen(event))
        return self

    def hang_on_silently(self) -> None:
        """No audio comes any more; the call goes on."""
        self._microphone_is_on = False

    def happen(self, event: Event) -> None:
        self.log.append((self.now_ms, event))
        self._carry_out(self.engine.handle(event, self.now_ms))

    def _turn_that_is_said(self) -> str:
        reply = self.engine._replier.reply
        assert reply is not None
        return reply.turn_id

    # --- looking ------------------------------------------------------------------------------------------------

    def notices(self, kind: type[N]) -> list[N]:
        return [notice for _, notice in self.told if isinstance(notice, kind)]

    def told_at(self, kind: type[Notice]) -> list[int]:
        return [at_ms for at_ms, notice in self.told if isinstance(notice, kind)]

    def states(self) -> list[tuple[int, SessionState]]:
        return [(at_ms, notice.state) for at_ms, notice in self.told if isinstance(notice, StateChanged)]

    def replies(self) -> list[ReplyDone]:
        return self.notices(ReplyDone)

    # --- the engine's commands ----------------------------------------------------------------------------------

    def _carry_out(self, commands: list[Command]) -> None:
        self.given.append(commands)
        for command in commands:
            match command:
                case Feed():
                    self._feed(command)
                case Finalise():
                    self._finalise(command)
                case JudgeTurn():
                    self._judge(command)
                case Ask():
                    self._ask(command)
                case Say():
                    self._say(command)
                case Play():
                    self._playing_turn = command.turn_id
                    self._pacer.play(self.now_ms)
                    self._keep_ticking()
                case Pause():
                    self._pacer.pause()
                case Rewind():
                    self._unhear(self._pacer.rewind(self.now_ms))
                case Clear():
                    self._pacer.clear()
                case Cancel():
                    self._cancelled.add(command.job)
                    self._streams.pop(command.job, None)
                case Tell():
                    self.told.append((self.now_ms, command.notice))
                case Notify():
                    self.notified.append(command)
                case End():
                    self.ended = True

    def _unhear(self, samples: int) -> None:
        """The last frames have not arrived: what was played is what somebody heard."""
        while samples > 0:
            samples -= self.played.pop().samples

    def _feed(self, command: Feed) -> None:
        request = self._next("stt")
        since_ms = 0 if command.again else self.now_ms - (command.back_ms or 400)
        self._streams[command.job] = _Stream(since_ms, request)
        failure = _nth(self.weather.stt_fails, request)
        if failure:
            self._answer(command.job, 50, lambda: Failed(command.job, "stt broke", failure == "retryable", 0.5))
        elif self.weather.interim_every_ms is not None:
            self._interim(command.job)

    def _interim(self, job: int) -> None:
        def tell() -> None:
            stream = self._streams.get(job)
            if stream is not None and not self.ended:
                text = self.caller.words_between(stream.since_ms, self.now_ms)
                if text:
                    self.happen(Transcribed(job, text, final=False))
                self._interim(job)

        if self.weather.interim_every_ms is not None:
            self._later(self.weather.interim_every_ms, tell)

    def _finalise(self, command: Finalise) -> None:
        stream = self._streams.get(command.job)
        if stream is None:
            return
        text = self.caller_mishears or self.caller.words_between(stream.since_ms, self.now_ms)
        delay_ms = _nth(self.weather.stt_final_ms, stream.request)
        self._answer(command.job, delay_ms, lambda: Transcribed(command.job, text, final=True))

    def _judge(self, command: JudgeTurn) -> None:
        request = self._next("turn")
        verdict = _nth(self.weather.verdicts, request)
        self._answer(command.job, _nth(self.weather.verdict_ms, request), lambda: Judged(command.job, verdict))

    def _ask(self, command: Ask) -> None:
        self.asked.append(command)
        if command.type == "session.started" or (command.type == "user.away" and not self.weather.asks_who_is_away):
            self._answer(command.job, 10, lambda: AgentFinished(command.job))
            return
        request = self._next("agent")
        answer, failure = _nth(self.weather.agent_answers, request), _nth(self.weather.agent_fails, request)
        delay_ms = _nth(self.weather.agent_first_ms, request)
        if delay_ms is None:
            return
        deltas = [answer[at : at + 7] for at in range(0, len(answer), 7)]
        if failure:
            deltas = deltas[: len(deltas) // 2] if failure == "midway" else []
        for index, delta in enumerate(deltas):
            self._answer(command.job, delay_ms + index * self.weather.agent_gap_ms, _said(command.job, delta))
        over_ms = delay_ms + len(deltas) * self.weather.agent_gap_ms
        if failure:
            self._answer(command.job, over_ms, lambda: Failed(command.job, "agent broke", failure == "retryable", 0.5))
        else:
            self._answer(command.job, over_ms, lambda: AgentFinished(command.job))

    def _say(self, command: Say) -> None:
        self.says[command.job] = command
        request = self._next("tts")
        failure, delay_ms = _nth(self.weather.tts_fails, request), _nth(self.weather.tts_first_ms, request)
        if delay_ms is None:
            return
        samples = len(command.text) * SPOKEN_MS_PER_CHARACTER * RATE_HZ // 1000
        sizes = [min(1_600, samples - at) for at in range(0, samples, 1_600)]
        if failure:
            sizes = sizes[:1] if failure == "midway" else []
        for index, size in enumerate(sizes):
            self._later(delay_ms + index * self.weather.tts_gap_ms, self._speak(command.job, size))
        over_ms = delay_ms + len(sizes) * self.weather.tts_gap_ms
        if failure:
            self._answer(command.job, over_ms, lambda: Failed(command.job, "tts broke", failure == "retryable", 0.5))
        else:
            self._answer(command.job, over_ms, lambda: SpokenWhole(command.job))

    def _speak(self, job: int, samples: int) -> Callable[[], None]:
        def act() -> None:
            if self.ended or (job in self._cancelled and not self.weather.late_events):
                return
            if job not in self._cancelled:  # as the shell does it: audio is queued, then the engine is told
                self._pacer.push(array("h", [job]).tobytes() * samples)
                self.turn_of_job.setdefault(job, self._turn_that_is_said())
                self.samples_of_job[job] = self.samples_of_job.get(job, 0) + samples
            self.happen(Spoken(job, samples))
            self._keep_ticking()

        return act

    # --- time ---------------------------------------------------------------------------------------------------

    def _window(self) -> None:
        if self.ended or not self._microphone_is_on:
            return
        if self.audio_flows:
            probability = 0.9 if self.caller.voiced(self.now_ms) else 0.05
            self.happen(Heard(WINDOW_MS, probability, self.now_ms))
        self._later(WINDOW_MS, self._window)

    def _keep_ticking(self) -> None:
        if not self._ticking and not self._pacer.at_rest:
            self._ticking = True
            self._later(0, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        for frame in self._pacer.tick(self.now_ms):
            samples = array("h", frame)
            for job in sorted({sample for sample in samples if sample}):
                self.played.append(PlayedFrame(self.now_ms, job, samples.count(job)))
        self.happen(Played(self._playing_turn, self._pacer.sent_samples, self._pacer.heard_samples(self.now_ms)))
        if not self._ticking and not self._pacer.at_rest:
            self._ticking = True
            self._later(FRAME_MS, self._tick)

    def _answer(self, job: int, delay_ms: int | None, event: Callable[[], Event]) -> None:
        """An event of a cancelled job comes all the same where the weather has it so."""

        def act() -> None:
            if not self.ended and (job not in self._cancelled or self.weather.late_events):
                self.happen(event())

        if delay_ms is not None:
            self._later(delay_ms, act)

    def _later(self, delay_ms: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now_ms + delay_ms, next(self._order), act))

    def _next(self, stage: str) -> int:
        self._requests[stage] += 1
        return self._requests[stage] - 1


def _said(job: int, delta: str) -> Callable[[], Event]:
    return lambda: AgentSaid(job, delta)


def _nth(values: tuple[N, ...], index: int) -> N:
    return values[index % len(values)]
