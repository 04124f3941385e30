"""One request that may go to several providers of a kind, one after another, as their breakers allow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from providers.errors import ProviderError, Unreachable
from session.breaker import Breaker, is_failure

__all__ = ("Attempts", "Member", "Members", "NobodyWatches", "Watch")

logger = logging.getLogger(__name__)


class Provider(Protocol):
    name: str

    async def warm_up(self) -> None: ...

    async def aclose(self) -> None: ...


P = TypeVar("P", bound=Provider)


def _error_code(error: Exception) -> str:
    return error.code if isinstance(error, ProviderError) else "internal_error"


class Watch(Protocol):
    """Told whom a request goes to, and of each that failed and was replaced; what is raised in the end is not told."""

    def asks(self, provider: str) -> None: ...

    def over(self, error: str) -> None: ...


class NobodyWatches:
    def asks(self, provider: str) -> None:
        pass

    def over(self, error: str) -> None:
        pass


@dataclass(frozen=True, slots=True, eq=False)
class Member(Generic[P]):
    provider: P
    breaker: Breaker = field(default_factory=Breaker)


class Attempts(Generic[P]):
    """The members that one request may still go to, and what came of the one that it went to last."""

    def __init__(self, members: Sequence[Member[P]], clock_ms: Callable[[], int], watch: Watch) -> None:
        self._left = list(members)
        self._clock_ms = clock_ms
        self._watch = watch
        self._asked: Member[P] | None = None
        self._trial = False
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[P]:
        """Each after the one before has failed."""
        while (member := self._next()) is not None:
            if self._error is not None:
                self._watch.over(_error_code(self._error))
            self._left.remove(member)
            self._asked, self._trial = member, member.breaker.asked(self._clock_ms())
            self._watch.asks(member.provider.name)
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
        return self._error or Unreachable("failed too often and is left alone for a while")

    def succeeded(self) -> None:
        if self._asked is not None:
            self._trial = False
            self._asked.breaker.succeeded()

    def failed(self, error: Exception) -> None:
        self._error = error
        if self._asked is not None and is_failure(error):
            self._trial = False
            self._asked.breaker.failed(self._clock_ms())
        self.over()

    def over(self) -> None:
        """Whatever came of it, nothing more will."""
        if self._asked is not None and self._trial:
            self._asked.breaker.given_up()
        self._asked, self._trial = None, False

    def _next(self) -> Member[P] | None:
        now_ms = self._clock_ms()
        return next((member for member in self._left if member.breaker.allows(now_ms)), None)


class Members(Generic[P]):
    def __init__(self, providers: Sequence[P]) -> None:
        """:raises ValueError: when there is none."""
        if not providers:
            raise ValueError("no provider given")
        self.all = tuple(Member(provider) for provider in providers)
        self.first = providers[0]

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
