"""Who is asked next, who is told, and what the breakers learn."""

from __future__ import annotations

import asyncio
import logging

import pytest

from providers.errors import Rejected, TimedOut, Unreachable
from session.aio.attempts import Attempts, Members, NobodyIsWell
from session.breaker import OPEN_MS, BreakerState

PATIENCE_MS = 1_000


class Somebody:
    def __init__(self, name: str, *, error: Unreachable | None = None) -> None:
        self.name = name
        self.error = error
        self.warm = self.closed = 0

    async def warm_up(self) -> None:
        self.warm += 1
        if self.error is not None:
            raise self.error

    async def aclose(self) -> None:
        self.closed += 1
        if self.error is not None:
            raise self.error


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def asks(self, provider: str) -> None:
        self.lines.append(f"asks {provider}")

    def over(self, error: str) -> None:
        self.lines.append(f"over {error}")


class Rig:
    def __init__(self, *names: str) -> None:
        self.members = Members([Somebody(name) for name in names], PATIENCE_MS, lambda: self.now_ms)
        self.log = Log()
        self.now_ms = 0

    def attempts(self) -> Attempts[Somebody]:
        return self.members.attempts(self.log)

    def fail(self, times: int = 5) -> None:
        for _ in range(times):
            attempts = self.attempts()
            next(iter(attempts))
            attempts.failed(Unreachable("gone"))

    @property
    def states(self) -> list[int]:
        return [int(member.breaker.state) for member in self.members.all]


def test_the_next_is_asked_when_one_failed_and_each_failure_but_the_last_is_told() -> None:
    rig = Rig("a", "b", "c")
    attempts = rig.attempts()
    for error in (Unreachable("gone"), KeyError("x"), TimedOut("late")):
        next(iter(attempts))
        attempts.failed(error)

    assert [] == list(attempts)
    assert ["asks a", "over unreachable", "asks b", "over internal_error", "asks c"] == rig.log.lines
    assert "late" == str(attempts.error)


def test_one_that_failed_too_often_is_passed_over_and_taken_back_when_it_heals() -> None:
    rig = Rig("a", "b")
    rig.fail()

    assert ["b"] == [each.name for each in rig.attempts()]

    rig.now_ms = OPEN_MS
    for _ in range(2):
        attempts = rig.attempts()

        assert "a" == next(iter(attempts)).name
        assert "b" == next(iter(rig.attempts())).name  # meanwhile: one trial at a time

        attempts.succeeded()
        attempts.over()

    assert [BreakerState.CLOSED] * 2 == rig.states


def test_a_trial_that_is_left_or_refused_frees_its_place() -> None:
    rig = Rig("a", "b")
    rig.fail()
    rig.now_ms = OPEN_MS
    for error in (None, Rejected("no such voice")):
        attempts = rig.attempts()
        next(iter(attempts))
        attempts.over() if error is None else attempts.failed(error)

        assert "a" == next(iter(rig.attempts())).name
        rig.members.all[0].breaker.given_up()

    assert BreakerState.HALF_OPEN == rig.states[0]


def test_a_refusal_goes_on_to_the_next_and_blames_nobody() -> None:
    rig = Rig("a", "b")
    for _ in range(6):
        attempts = rig.attempts()
        for _ in attempts:
            attempts.failed(Rejected("no"))

    assert [BreakerState.CLOSED] * 2 == rig.states


def test_where_nobody_is_well_that_is_the_error() -> None:
    rig = Rig("a")
    rig.fail()
    attempts = rig.attempts()

    assert [] == list(attempts)
    assert isinstance(attempts.error, NobodyIsWell)
    assert (False, "unreachable") == (attempts.error.retryable, attempts.error.code)


def test_who_may_come_need_not_be_well() -> None:
    rig = Rig("a")
    rig.fail()
    attempts = rig.attempts()

    assert attempts.another_may_come
    assert not attempts.another_is_well


def test_what_comes_of_nothing_that_was_asked_changes_nothing() -> None:
    rig = Rig("a")
    attempts = rig.attempts()
    attempts.succeeded()
    attempts.failed(Unreachable("x"))
    attempts.over()

    assert [BreakerState.CLOSED] == rig.states


async def test_it_need_not_be_watched() -> None:
    members = Members([Somebody("a"), Somebody("b")])
    attempts = members.attempts(None)
    for _ in attempts:
        attempts.failed(Unreachable("gone"))

    assert [("a", 0), ("b", 0)] == [(name, int(breaker.state)) for name, breaker in members.breakers]


def test_those_of_the_same_name_are_numbered() -> None:
    rig = Rig("webhook", "demo", "webhook", "webhook")
    attempts = rig.attempts()
    for _ in attempts:
        attempts.failed(Unreachable("gone"))

    assert ["webhook", "demo", "webhook-2", "webhook-3"] == [name for name, _ in rig.members.breakers]
    assert "asks webhook-3" == rig.log.lines[-1]


async def test_what_is_late_while_another_is_well_has_timed_out() -> None:
    attempts = Members([Somebody("a"), Somebody("b")], patience_ms=0).attempts(None)
    next(iter(attempts))
    with pytest.raises(TimedOut, match="a: gave nothing within 0 ms"):
        await attempts.in_time(asyncio.Event().wait())


async def test_a_limit_of_the_providers_own_stays_its_own() -> None:
    async def theirs() -> None:
        raise TimeoutError("their mistake")

    attempts = Rig("a", "b").attempts()
    next(iter(attempts))
    with pytest.raises(TimeoutError, match="their mistake"):
        await attempts.in_time(theirs())


async def test_one_that_is_left_when_it_is_late_has_failed_and_one_that_had_given_something_has_not() -> None:
    rig = Rig("silent", "busy")
    for _ in range(5):
        silent = rig.attempts()
        busy = rig.attempts()
        next(iter(silent))
        busy_ones = iter(busy)
        next(busy_ones)
        busy.failed(Rejected("not me"))
        next(busy_ones)
        await busy.in_time(asyncio.sleep(0))
        silent.due()
        rig.now_ms += PATIENCE_MS
        silent.due()
        silent.over()
        busy.over()

    assert [BreakerState.OPEN, BreakerState.CLOSED] == rig.states


async def test_one_that_is_warm_is_enough(caplog: pytest.LogCaptureFixture) -> None:
    well, ill = Somebody("well"), Somebody("ill", error=Unreachable("gone"))
    with caplog.at_level(logging.WARNING):
        await Members([ill, well]).warm_up()

    assert (1, 1) == (well.warm, ill.warm)
    assert ["not warm: gone"] == caplog.messages

    with pytest.raises(Unreachable):
        await Members([ill]).warm_up()


async def test_all_are_closed_also_where_one_cannot_be() -> None:
    well, ill = Somebody("well"), Somebody("ill", error=Unreachable("gone"))
    with pytest.raises(Unreachable):
        await Members([ill, well]).aclose()
    await Members([well]).aclose()

    assert (2, 1) == (well.closed, ill.closed)


def test_nobody_is_not_enough() -> None:
    with pytest.raises(ValueError, match="no provider"):
        Members[Somebody]([])
