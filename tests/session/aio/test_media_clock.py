"""The one clock of all sessions."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Callable

import pytest

from session.aio.media_clock import SLOTS, MediaClock
from tests.session.aio.stage import soon


class Member:
    """Counts its calls and waits for one."""

    def __init__(self) -> None:
        self.calls_ms: list[int] = []
        self._called = asyncio.Event()

    def tick(self, now_ms: int) -> None:
        self.calls_ms.append(now_ms)
        self._called.set()

    async def until(self, count: int) -> None:
        while len(self.calls_ms) < count:
            self._called.clear()
            await soon(self._called.wait())


async def test_a_member_is_called_every_20_ms_with_the_time_of_the_loop() -> None:
    clock, member = MediaClock(), Member()
    begun_ms = asyncio.get_running_loop().time() * 1000
    clock.add(member.tick)
    await member.until(6)
    clock.remove(member.tick)
    ended_ms = asyncio.get_running_loop().time() * 1000

    assert begun_ms - 1 <= member.calls_ms[0]
    assert ended_ms >= member.calls_ms[-1]
    assert 80 <= member.calls_ms[-1] - member.calls_ms[0]
    assert sorted(set(member.calls_ms)) == member.calls_ms


async def test_adding_twice_is_adding_once() -> None:
    clock, member = MediaClock(), Member()
    clock.add(member.tick)
    clock.add(member.tick)
    await member.until(3)
    clock.remove(member.tick)

    assert len(set(member.calls_ms)) == len(member.calls_ms)


async def test_who_is_removed_is_called_no_more_and_others_are() -> None:
    clock, gone, stays = MediaClock(), Member(), Member()
    clock.add(gone.tick)
    clock.add(stays.tick)
    await gone.until(1)
    clock.remove(gone.tick)
    clock.remove(gone.tick)
    calls = len(gone.calls_ms)
    await stays.until(4)
    clock.remove(stays.tick)

    assert calls == len(gone.calls_ms)


async def test_without_members_no_timer_runs_and_the_next_member_starts_it_again() -> None:
    clock, member = MediaClock(), Member()
    clock.add(member.tick)
    await member.until(1)
    clock.remove(member.tick)
    clock._run()

    assert None is clock._timer

    clock.add(member.tick)
    await member.until(2)
    clock.remove(member.tick)

    assert 2 <= len(member.calls_ms)


async def test_members_are_spread_over_the_frame() -> None:
    clock = MediaClock()
    members = [Member() for _ in range(2 * SLOTS)]
    for member in members:
        clock.add(member.tick)

    assert [2] * SLOTS == [len(slot) for slot in clock._slots]

    for member in members:
        clock.remove(member.tick)


async def test_a_timer_that_fires_a_moment_early_skips_nobody() -> None:
    clock = MediaClock()
    members = [Member() for _ in range(SLOTS)]
    for member in members:
        clock.add(member.tick)
    for _ in range(SLOTS):
        clock._run()  # each some milliseconds before its time

    assert [1] * SLOTS == [len(member.calls_ms) for member in members]

    for member in members:
        clock.remove(member.tick)


async def test_after_a_stall_everybody_is_called_once_and_the_lost_ticks_are_not_made_up() -> None:
    clock = MediaClock()
    members = [Member() for _ in range(SLOTS)]
    for member in members:
        clock.add(member.tick)
    clock._tick -= 50 * SLOTS  # as if nothing had run for a second
    clock._run()

    assert [1] * SLOTS == [len(member.calls_ms) for member in members]

    for member in members:
        clock.remove(member.tick)


async def test_a_member_that_raises_is_called_no_more_and_silences_nobody(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def broken(now_ms: int) -> None:
        calls.append(now_ms)
        raise ValueError("no")

    clock = MediaClock()
    others = [Member() for _ in range(SLOTS)]
    members: list[Callable[[int], None]] = [broken, *(other.tick for other in others)]
    with caplog.at_level(logging.ERROR):
        for member in members:
            clock.add(member)
        for other in others:
            await other.until(3)
    for member in members:
        clock.remove(member)

    assert 1 == len(calls) == len(caplog.records)


async def test_there_is_one_clock_a_loop() -> None:
    assert MediaClock.of_running_loop() is MediaClock.of_running_loop()


def test_a_loop_that_is_gone_takes_its_clock_with_it() -> None:
    async def clocks() -> tuple[weakref.ref[MediaClock], weakref.ref[asyncio.AbstractEventLoop]]:
        return weakref.ref(MediaClock.of_running_loop()), weakref.ref(asyncio.get_running_loop())

    clock, loop = asyncio.run(clocks())
    gc.collect()

    assert (None, None) == (clock(), loop())
