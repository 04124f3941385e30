"""One request that may go to several providers of a kind, one after another, as their breakers allow.

The members are made once and shared by all sessions of a process, and so are the breakers: what one session learns of a
provider spares the others. The trial that a half-open breaker lets through is how one that failed is probed, and taken
back when it heals.

A sole provider has a breaker too. While it is open nobody is asked, the caller hears the apology at once rather than
after a wait, and a service that is coming up again is left in peace.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from providers.errors import PermanentError, ProviderError, TimedOut
from session.breaker import Breaker, is_failure

__all__ = ("PATIENCE_MS", "Attempts", "Member", "Members", "NobodyIsWell", "Watch", "monotonic_ms")

logger = logging.getLogger(__name__)

PATIENCE_MS = 2_500
"""How long a provider may take to give what is due while another one could be asked instead."""


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Provider(Protocol):
    name: str

    async def warm_up(self) -> None: ...

    async def aclose(self) -> None: ...


P = TypeVar("P", bound=Provider)
T = TypeVar("T")


class NobodyIsWell(PermanentError):
    """All failed too often and are left alone for a while: nobody was asked, and asking again soon would ask nobody."""

    code = "unreachable"


class Watch(Protocol):
    """Told whom a request goes to, and of each that failed and was replaced; what is raised in the end is not told."""

    def asks(self, provider: str) -> None: ...

    def over(self, error: str) -> None: ...


class _NobodyWatches:
    def asks(self, provider: str) -> None:
        pass

    def over(self, error: str) -> None:
        pass


@dataclass(frozen=True, slots=True, eq=False)
class Member(Generic[P]):
    """``name``: the provider's, and a number where others have the same: ``webhook``, ``webhook-2``."""

    name: str
    provider: P
    breaker: Breaker = field(default_factory=Breaker)


class Attempts(Generic[P]):
    """The members that one request may still go to, and what came of the one that it went to last."""

    def __init__(
        self, members: Sequence[Member[P]], patience_ms: int, clock_ms: Callable[[], int], watch: Watch
    ) -> None:
        self.patience_ms = patience_ms
        self._left = list(members)
        self._clock_ms = clock_ms
        self._watch = watch
        self._asked: Member[P] | None = None
        self._trial = False
        self._due_since_ms: int | None = None
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[P]:
        """Each after the one before has failed."""
        while (member := self._next()) is not None:
            if self._error is not None:
                self._watch.over(_error_code(self._error))
            self._left.remove(member)
            self._asked, self._trial = member, member.breaker.asked(self._clock_ms())
            self._watch.asks(member.name)
            yield member.provider

    @property
    def another_may_come(self) -> bool:
        """Whether there is one that was not asked, well or not."""
        return bool(self._left)

    @property
    def another_is_well(self) -> bool:
        return self._next() is not None

    @property
    def error(self) -> Exception:
        """The last failure."""
        return self._error or NobodyIsWell("failed too often and is left alone for a while")

    async def in_time(self, result: Awaitable[T]) -> T:
        """What is due, within our patience where another could give it instead.

        :raises TimedOut:
        """
        self.due()
        limit = asyncio.timeout(self.patience_ms / 1000 if self.another_is_well else None)
        try:
            async with limit:
                given = await result
        except TimeoutError:
            if limit.expired():
                name = "" if self._asked is None else self._asked.name
                raise TimedOut(f"gave nothing within {self.patience_ms} ms", provider=name) from None
            raise
        self._due_since_ms = None
        return given

    def due(self) -> None:
        """From now on, if not before, there is something to be given."""
        if self._due_since_ms is None:
            self._due_since_ms = self._clock_ms()

    def succeeded(self) -> None:
        self._due_since_ms = None
        if self._asked is not None:
            self._trial = False
            self._asked.breaker.succeeded()

    def failed(self, error: Exception) -> None:
        self._error = error
        self._due_since_ms = None
        if self._asked is not None and is_failure(error):
            self._trial = False
            self._asked.breaker.failed(self._clock_ms())
        self.over()

    def over(self) -> None:
        """Whatever came of it, nothing more will. Whoever had been late by then has failed: the session, which has
        limits of its own, gives up a request by leaving it."""
        if self._asked is not None and self._is_late:
            self._asked.breaker.failed(self._clock_ms())
        elif self._asked is not None and self._trial:
            self._asked.breaker.given_up()
        self._asked, self._trial, self._due_since_ms = None, False, None

    @property
    def _is_late(self) -> bool:
        return self._due_since_ms is not None and self._clock_ms() - self._due_since_ms >= self.patience_ms

    def _next(self) -> Member[P] | None:
        now_ms = self._clock_ms()
        return next((member for member in self._left if member.breaker.allows(now_ms)), None)


class Members(Generic[P]):
    def __init__(
        self, providers: Sequence[P], patience_ms: int = PATIENCE_MS, clock_ms: Callable[[], int] = monotonic_ms
    ) -> None:
        """:raises ValueError: when there is none."""
        if not providers:
            raise ValueError("no provider given")
        self.all = tuple(map(Member, _distinct([provider.name for provider in providers]), providers))
        self.first = providers[0]
        self._patience_ms = patience_ms
        self._clock_ms = clock_ms

    @property
    def breakers(self) -> tuple[tuple[str, Breaker], ...]:
        return tuple((member.name, member.breaker) for member in self.all)

    def attempts(self, watch: Watch | None) -> Attempts[P]:
        return Attempts(self.all, self._patience_ms, self._clock_ms, watch or _NobodyWatches())

    async def warm_up(self) -> None:
        """One after another: they share the processor. One that is warm is enough; the others are left to their
        breakers."""
        errors = []
        for member in self.all:
            try:
                await member.provider.warm_up()
            except ProviderError as error:
                logger.warning("not warm: %s", error)
                errors.append(error)
        if len(errors) == len(self.all):
            raise errors[0]

    async def aclose(self) -> None:
        """All of them, also when one cannot be closed."""
        errors = []
        for member in self.all:
            try:
                await member.provider.aclose()
            except ProviderError as error:
                errors.append(error)
        if errors:
            raise errors[0]


def _distinct(names: Sequence[str]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"


def _error_code(error: Exception) -> str:
    return error.code if isinstance(error, ProviderError) else "internal_error"
