"""An engine and somebody who tells it, event by event, what happens: for what a simulated caller never does."""

from __future__ import annotations

from typing import TypeVar

from session.commands import Ask, Command, Feed, JudgeTurn, Say, Tell
from session.config import SessionConfig
from session.engine import Engine
from session.events import Event, Heard, Played, Spoken, SpokenWhole, Started, Transcribed

__all__ = ("RATE_HZ", "Talk")

RATE_HZ = 1_000
"""A sample is a millisecond."""

WINDOW_MS = 20

T = TypeVar("T")


class Talk:
    """``given`` holds every command, in order. The session is started unless it is told otherwise."""

    def __init__(
        self,
        config: SessionConfig | None = None,
        *,
        has_agent: bool = True,
        detects_turns: bool = False,
        greeting: str | None = None,
        started: bool = True,
        pings: bool = False,
    ) -> None:
        self.engine = Engine(
            config or SessionConfig(), rate_hz=RATE_HZ, detects_turns=detects_turns, has_agent=has_agent, pings=pings
        )
        self.now_ms = 0
        self.given: list[Command] = []
        if started:
            self.happens(Started(greeting))

    # --- telling ------------------------------------------------------------------------------------------------

    def happens(self, event: Event) -> list[Command]:
        commands = self.engine.handle(event, self.now_ms)
        self.given += commands
        return commands

    def passes(self, duration_ms: int) -> list[Command]:
        """Time, in which nothing happens but what is due."""
        self.now_ms += duration_ms
        commands = self.engine.handle_timeout(self.now_ms)
        self.given += commands
        return commands

    def user_speaks(self, duration_ms: int, probability: float = 0.9) -> None:
        for _ in range(duration_ms // WINDOW_MS):
            self.passes(WINDOW_MS)
            self.happens(Heard(WINDOW_MS, probability, self.now_ms))

    def user_is_silent(self, duration_ms: int) -> None:
        self.user_speaks(duration_ms, probability=0.0)

    def is_transcribed(self, text: str, *, final: bool = True) -> None:
        self.happens(Transcribed(self.last(Feed).job, text, final))

    def is_synthesised(self, samples: int) -> None:
        """The piece that is said last, whole."""
        job = self.last(Say).job
        self.happens(Spoken(job, samples))
        self.happens(SpokenWhole(job))

    def is_played(self, sent: int, heard: int) -> None:
        reply = self.engine._replier.reply
        assert reply is not None
        self.happens(Played(reply.turn_id, sent, heard))

    # --- looking ------------------------------------------------------------------------------------------------

    def all(self, kind: type[T]) -> list[T]:
        """Commands, or the notices that were told, of this kind."""
        things = [command.notice if isinstance(command, Tell) else command for command in self.given]
        return [thing for thing in things if isinstance(thing, kind)]

    def last(self, kind: type[T]) -> T:
        return self.all(kind)[-1]

    @property
    def asked(self) -> list[Ask]:
        """What the agent was asked, its greeting apart."""
        return [ask for ask in self.all(Ask) if ask.type != "session.started"]

    @property
    def judged(self) -> list[JudgeTurn]:
        return self.all(JudgeTurn)
