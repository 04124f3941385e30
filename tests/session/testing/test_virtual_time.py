from __future__ import annotations

import asyncio
import random
import threading

import httpx2
import pytest

from session.testing import NothingWillHappen, run


def test_time_passes_only_where_it_is_waited_for() -> None:
    async def work() -> list[float]:
        loop = asyncio.get_running_loop()
        times = [loop.time()]
        await asyncio.sleep(3_600)
        times.append(loop.time())
        return times

    assert [0, 3_600] == pytest.approx(run(work()), abs=1e-3)


def test_what_is_due_earlier_comes_earlier() -> None:
    came: list[str] = []

    async def come(name: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        came.append(name)

    async def work() -> None:
        await asyncio.gather(come("late", 100), come("early", 0.001), come("then", 60))

    run(work())

    assert ["early", "then", "late"] == came


@pytest.mark.parametrize("deadline_ms", [1, 290, 1_001, 4_035, 16_777_217, 86_400_001])
def test_a_timer_for_a_whole_millisecond_fires_when_it_is_that_millisecond(deadline_ms: int) -> None:
    async def work() -> int:
        loop = asyncio.get_running_loop()
        there = loop.create_future()
        loop.call_at(deadline_ms / 1000, there.set_result, None)
        await there
        return int(loop.time() * 1000)

    assert deadline_ms == run(work())


def test_a_limit_is_kept() -> None:
    async def work() -> None:
        async with asyncio.timeout(5):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run(work())


def test_what_would_hang_is_an_error() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingWillHappen):
        run(work())


def test_a_thread_takes_no_time() -> None:
    ready = threading.Event()

    def late() -> str:
        ready.wait(0.05)
        return "done"

    async def work() -> tuple[str, float]:
        async with asyncio.timeout(1):
            done = await asyncio.to_thread(late)
        return done, asyncio.get_running_loop().time()

    done, at_s = run(work())

    assert "done" == done
    assert at_s < 0.001


def test_chance_is_the_same_each_time_and_afterwards_as_before() -> None:
    async def work() -> float:
        return random.random()

    random.seed(7)
    undisturbed = [random.random(), random.random()]
    random.seed(7)
    first, drawn = random.random(), [run(work()), run(work()), run(work(), seed=1)]

    assert undisturbed == [first, random.random()]
    assert drawn[0] == drawn[1] != drawn[2]


def test_there_is_no_network() -> None:
    async def work() -> None:
        async with httpx2.AsyncClient() as client:
            await client.get("http://127.0.0.1:9/")

    with pytest.raises(httpx2.ConnectError):
        run(work())


async def test_it_runs_no_loop_within_a_loop() -> None:
    with pytest.raises(RuntimeError, match="for functions that are not async"):
        run(asyncio.sleep(0))
