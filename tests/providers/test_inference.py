from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from providers.errors import Overloaded
from providers.inference import Batcher, Job, Priority, Worker, shared_worker

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    worker.enter()
    yield worker
    await worker.leave()


class Door:
    """Work that has begun, and goes on when the door is opened."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self._open = threading.Event()

    def __call__(self) -> str:
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self._open.wait(10)
        return "through"

    def open(self) -> None:
        self._open.set()


@contextmanager
def busy(worker: Worker) -> Iterator[Job[str]]:
    """A worker that is busy until the end of the block."""
    door = Door()
    job = worker.submit(door, Priority.FINAL)
    try:
        yield job
    finally:
        door.open()


def noting(notes: list[str], note: str) -> Callable[[], str]:
    def work() -> str:
        notes.append(note)
        return note

    return work


async def test_work_is_done_on_a_thread_of_its_own(worker: Worker) -> None:
    thread = await worker.run(threading.current_thread, Priority.FINAL)

    assert threading.current_thread() is not thread
    assert thread.daemon


async def test_what_work_raises_is_raised_where_its_result_is_awaited(worker: Worker) -> None:
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0, Priority.FINAL)

    assert 1 == await worker.run(lambda: 1, Priority.FINAL)


async def test_finals_go_before_syntheses_and_those_before_interims(worker: Worker) -> None:
    notes: list[str] = []
    with busy(worker):
        wanted = [Priority.INTERIM, Priority.SYNTHESIS, Priority.FINAL, Priority.INTERIM, Priority.FINAL]
        jobs = [worker.submit(noting(notes, f"{p.name} {n}"), p) for n, p in enumerate(wanted)]
    await asyncio.gather(*(job.result() for job in jobs))

    assert ["FINAL 2", "FINAL 4", "SYNTHESIS 1", "INTERIM 0", "INTERIM 3"] == notes


async def test_a_job_that_is_withdrawn_is_not_done(worker: Worker) -> None:
    notes: list[str] = []
    with busy(worker):
        job = worker.submit(noting(notes, "never"), Priority.FINAL)

        assert job.withdraw()
        assert not job.withdraw()
        assert await job.result() is None
    await worker.run(bool, Priority.INTERIM)

    assert [] == notes


async def test_a_caller_who_is_cancelled_withdraws_the_job(worker: Worker) -> None:
    notes: list[str] = []
    with busy(worker):
        caller = asyncio.create_task(worker.run(noting(notes, "never"), Priority.FINAL))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])

        assert caller.cancelled()
    await worker.run(bool, Priority.INTERIM)

    assert [] == notes


async def test_a_job_that_has_begun_can_be_forgotten_but_not_withdrawn(worker: Worker) -> None:
    door = Door()
    job = worker.submit(door, Priority.FINAL)
    await door.begun.wait()

    assert not job.withdraw()
    assert not job.replace(door)

    job.forget()

    assert await job.result() is None

    door.open()

    assert 1 == await worker.run(lambda: 1, Priority.FINAL)


async def test_a_newer_job_takes_the_place_of_an_older_one(worker: Worker) -> None:
    notes: list[str] = []
    with busy(worker):
        first = worker.submit(noting(notes, "old"), Priority.INTERIM)
        second = worker.submit(noting(notes, "other"), Priority.INTERIM)

        assert first.replace(noting(notes, "new"))
    await asyncio.gather(first.result(), second.result())

    assert ["new", "other"] == notes


async def test_an_interim_that_has_waited_too_long_is_dropped(worker: Worker) -> None:
    notes: list[str] = []
    with busy(worker):
        late = worker.submit(noting(notes, "late"), Priority.INTERIM, expires_after_s=0)
        patient = worker.submit(noting(notes, "patient"), Priority.INTERIM, expires_after_s=60)

    assert await late.result() is None
    assert "patient" == await patient.result()
    assert ["patient"] == notes


@pytest.mark.parametrize("priority", [Priority.FINAL, Priority.SYNTHESIS])
async def test_a_full_queue_refuses_what_somebody_waits_for(worker: Worker, priority: Priority) -> None:
    door = Door()
    first = worker.submit(door, Priority.FINAL)
    await door.begun.wait()
    queued = [worker.submit(bool, priority) for _ in range(64)]

    with pytest.raises(Overloaded):
        worker.submit(bool, priority)

    door.open()

    assert "through" == await first.result()
    assert [False] * 64 == await asyncio.gather(*(job.result() for job in queued))


async def test_a_full_queue_drops_the_oldest_interim(worker: Worker) -> None:
    door = Door()
    first = worker.submit(door, Priority.FINAL)
    await door.begun.wait()
    interims = [worker.submit(bool, Priority.INTERIM) for _ in range(65)]
    door.open()
    await first.result()

    assert [None] + [False] * 64 == await asyncio.gather(*(job.result() for job in interims))


async def test_threads_end_with_the_last_user_and_come_back_with_the_next() -> None:
    before = set(threading.enumerate())
    worker = Worker(threads=2)
    worker.enter()
    worker.enter()
    await worker.leave()

    assert 2 == len(set(threading.enumerate()) - before)

    await worker.leave()

    assert set() == set(threading.enumerate()) - before

    worker.enter()

    assert 3 == await worker.run(lambda: 3, Priority.FINAL)

    await worker.leave()

    assert set() == set(threading.enumerate()) - before


async def test_what_is_queued_when_the_last_user_leaves_is_refused() -> None:
    worker = Worker()
    worker.enter()
    door = Door()
    begun = worker.submit(door, Priority.FINAL)
    await door.begun.wait()
    waiting = asyncio.create_task(worker.run(bool, Priority.FINAL))
    await asyncio.sleep(0)
    leaving = asyncio.create_task(worker.leave())

    with pytest.raises(Overloaded):
        await waiting

    door.open()
    await leaving

    assert "through" == await begun.result()


def test_a_result_for_a_loop_that_is_closed_is_dropped() -> None:
    worker = Worker()
    gate = threading.Event()

    async def leave_it_behind() -> None:
        worker.enter()
        worker.submit(gate.wait, Priority.FINAL)

    async def come_back() -> int:
        answer = await worker.run(lambda: 5, Priority.FINAL)
        await worker.leave()
        return answer

    asyncio.run(leave_it_behind())
    gate.set()

    assert 5 == asyncio.run(come_back())


def test_the_process_has_one_worker() -> None:
    assert shared_worker() is shared_worker()


# --- batches ------------------------------------------------------------------------------------------------------


class Model:
    """Adds one; notes its batches, and waits for ``gate`` before the first."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()

    def __call__(self, items: list[int]) -> list[int]:
        assert self.gate.wait(10)
        self.batches.append(items)
        if 13 in items:
            raise ArithmeticError
        return [item + 1 for item in items]


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def batcher(model: Model) -> AsyncIterator[Batcher[int, int]]:
    batcher = Batcher("test", model, most=4, most_waiting=8)
    batcher.enter()
    yield batcher
    model.gate.set()
    await batcher.leave()


async def ask_all(batcher: Batcher[int, int], model: Model, owners: list[str]) -> list[int | BaseException]:
    asked = [asyncio.create_task(batcher.ask(owner, number)) for number, owner in enumerate(owners)]
    await asyncio.sleep(0)
    model.gate.set()
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_what_comes_while_a_batch_runs_is_the_next(batcher: Batcher[int, int], model: Model) -> None:
    assert [1, 2, 3, 4, 5, 6] == await ask_all(batcher, model, list("abcdef"))
    assert len(model.batches) <= 4
    assert list(range(6)) == [item for batch in model.batches for item in batch]
    assert max(map(len, model.batches)) <= 4


async def test_the_items_of_one_owner_are_answered_in_order_in_batches_of_their_own(
    batcher: Batcher[int, int], model: Model
) -> None:
    assert [1, 2, 3, 4] == await ask_all(batcher, model, list("aaba"))
    assert [0, 1, 3] == [item for batch in model.batches for item in batch if item != 2]
    assert all(len(set(batch) & {0, 1, 3}) <= 1 for batch in model.batches)


async def test_what_a_batch_raises_is_raised_to_all_in_it_and_the_next_is_answered(
    batcher: Batcher[int, int], model: Model
) -> None:
    model.gate.set()

    with pytest.raises(ArithmeticError):
        await batcher.ask("a", 13)

    assert 2 == await batcher.ask("a", 1)


async def test_too_many_items_are_refused(batcher: Batcher[int, int], model: Model) -> None:
    results = await ask_all(batcher, model, [str(number) for number in range(20)])
    refused = [result for result in results if isinstance(result, Overloaded)]

    assert 20 - 8 >= len(refused) >= 20 - 8 - 4


async def test_an_item_whose_owner_has_gone_hurts_nobody(batcher: Batcher[int, int], model: Model) -> None:
    gone = asyncio.create_task(batcher.ask("a", 0))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    model.gate.set()

    assert 8 == await batcher.ask("b", 7)


async def test_what_waits_when_the_last_owner_leaves_is_refused(model: Model) -> None:
    batcher = Batcher("test", model, most=1)
    batcher.enter()
    asked = [asyncio.create_task(batcher.ask(number, number)) for number in range(3)]
    await asyncio.sleep(0)
    leaving = asyncio.create_task(batcher.leave())
    await asyncio.sleep(0)
    model.gate.set()
    await leaving
    results = await asyncio.gather(*asked, return_exceptions=True)

    assert all(result == number + 1 or isinstance(result, Overloaded) for number, result in enumerate(results))
    assert isinstance(results[2], Overloaded)


async def test_a_program_that_ends_without_closing_anything_waits_for_what_is_running() -> None:
    program = """
        import asyncio, threading, time
        from providers.inference import Priority, shared_worker

        def work():
            begun.set()
            time.sleep(0.3)
            print("finished")

        async def main():
            shared_worker().enter()
            shared_worker().submit(work, Priority.SYNTHESIS)
            await asyncio.to_thread(begun.wait)

        begun = threading.Event()
        asyncio.run(main())
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(program), cwd=ROOT, stdout=subprocess.PIPE
    )
    told, _ = await process.communicate()

    assert (b"finished\n", 0) == (told, process.returncode)
