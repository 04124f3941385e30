"""Threads on which models run, shared by all sessions of the process: never in the event loop, never one a session.

``Worker`` takes jobs that last tens of milliseconds, one after another: transcripts and syntheses. ``Batcher`` takes
what lasts microseconds and is wanted by every session fifty times a second: windows of voice activity.

Threads live while somebody uses them: between the first ``enter()`` and the last ``leave()``.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, partial
from typing import Generic, TypeVar

from providers.errors import Overloaded

__all__ = ("Batcher", "Job", "Priority", "Worker", "shared_worker")

T = TypeVar("T")
Item = TypeVar("Item")
Answer = TypeVar("Answer")


class _Crew:
    """Threads that fetch what there is to do and do it. ``take`` is called with ``ready`` held."""

    def __init__(self, name: str, count: int, take: Callable[[], Callable[[], None] | None]) -> None:
        self.ready = threading.Condition()
        self.users = 0
        self._name = name
        self._count = count
        self._take = take
        self._threads: list[threading.Thread] = []
        self._shift = 0  # threads of an earlier shift go home
        _crews.add(self)

    def enter(self) -> None:
        with self.ready:
            self.users += 1
            if self.users > 1:
                return
            self._threads = [
                threading.Thread(target=self._work, args=(self._shift,), name=f"{self._name}-{number}", daemon=True)
                for number in range(self._count)
            ]
            for thread in self._threads:
                thread.start()

    def leave(self) -> list[threading.Thread]:
        """The threads that go home because nobody is left. Called with ``ready`` held."""
        self.users -= 1
        if self.users:
            return []
        return self.dismiss()

    def dismiss(self) -> list[threading.Thread]:
        """Send everybody home, whoever still needs them. Called with ``ready`` held."""
        self._shift += 1
        self.ready.notify_all()
        return self._threads

    def _work(self, shift: int) -> None:
        while True:
            with self.ready:
                while shift == self._shift and (task := self._take()) is None:
                    self.ready.wait()
                if shift != self._shift:
                    return
            task()  # type: ignore[misc]  # not None: the loop above ended
            del task  # or it keeps its audio alive until the next


_crews: weakref.WeakSet[_Crew] = weakref.WeakSet()


@atexit.register
def _all_go_home() -> None:
    """A program that ends without closing its providers: a model that runs on while Python is taken down would abort
    the process."""
    for crew in tuple(_crews):
        with crew.ready:
            threads = crew.dismiss()
        for thread in threads:
            thread.join()


async def _gone(threads: list[threading.Thread]) -> None:
    """Wait until what is running has ended."""
    while any(thread.is_alive() for thread in threads):  # noqa: ASYNC110  # a thread ends without telling any loop
        await asyncio.sleep(0.001)


# --- jobs ---------------------------------------------------------------------------------------------------------


class Priority(IntEnum):
    """Who goes first: a caller who has finished waits for the transcript, then for the voice; an interim can wait."""

    FINAL = 0
    SYNTHESIS = 1
    INTERIM = 2


_MOST_QUEUED = 64
"""Of each priority. A full queue refuses a final or a synthesis (``Overloaded``: seconds of work are ahead of it), and
drops the oldest interim for a new one."""


class Job(Generic[T]):
    """Something that a worker will do, and its result. Made by ``Worker.submit``."""

    def __init__(self, worker: Worker, work: Callable[[], T], priority: Priority, expires_at_s: float | None) -> None:
        self.priority = priority
        self._worker = worker
        self._work = work
        self._expires_at_s = expires_at_s
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[T | None] = self._loop.create_future()

    async def result(self) -> T | None:
        """What ``work`` returned or raised; None when the job was withdrawn, or dropped from the queue.

        A caller that is cancelled meanwhile withdraws the job.
        """
        try:
            return await self._done
        except asyncio.CancelledError:
            self.withdraw()
            raise

    def withdraw(self) -> bool:
        """Take it out of the queue. False when it has begun or is over: then it runs to its end."""
        return self._worker.withdraw(self)

    def forget(self) -> None:
        """As ``withdraw``; and if it has begun, ``result`` returns None now. Called in the loop that awaits it."""
        self.withdraw()
        self._resolve(None)

    def replace(self, work: Callable[[], T]) -> bool:
        """Do this instead, in the same place of the queue. False when it has begun or is over."""
        return self._worker.replace(self, work)

    @property
    def stale(self) -> bool:
        return self._expires_at_s is not None and time.monotonic() > self._expires_at_s

    def change(self, work: Callable[[], T]) -> None:
        """Called by the worker, with its lock held."""
        self._work = work

    def run(self) -> None:
        """Called on a thread of the worker."""
        try:
            outcome = partial(self._resolve, self._work())
        except Exception as error:  # noqa: BLE001  # whatever a model raises is raised where its result is awaited
            outcome = partial(self._fail, error)
        _post(self._loop, outcome)

    def drop(self) -> None:
        """Resolve to None. Called on any thread."""
        _post(self._loop, partial(self._resolve, None))

    def _resolve(self, result: T | None) -> None:
        if not self._done.done():
            self._done.set_result(result)

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)


class Worker:
    """Does jobs off the event loop, by priority and then in order."""

    def __init__(self, threads: int = 1) -> None:
        self._crew = _Crew("inference", threads, self._take)
        self._queues: dict[Priority, deque[Job[object]]] = {priority: deque() for priority in Priority}

    def enter(self) -> None:
        """Begin to use the worker: its threads start with the first user."""
        self._crew.enter()

    async def leave(self) -> None:
        """Once for each ``enter``. With the last user the queue is dropped, and the threads end."""
        with self._crew.ready:
            threads = self._crew.leave()
            left = [] if self._crew.users else [job for queue in self._queues.values() for job in queue]
            for job in left:
                self._queues[job.priority].remove(job)
        for job in left:
            job.drop()
        await _gone(threads)

    @property
    def queued(self) -> int:
        return sum(map(len, self._queues.values()))

    def submit(self, work: Callable[[], T], priority: Priority, *, expires_after_s: float | None = None) -> Job[T]:
        """Queue ``work``, which may block its thread. After ``expires_after_s`` in the queue it is dropped.

        :raises Overloaded: when the queue is full.
        """
        expires_at_s = None if expires_after_s is None else time.monotonic() + expires_after_s
        job = Job(self, work, priority, expires_at_s)
        oldest: Job[object] | None = None
        with self._crew.ready:
            queue = self._queues[priority]
            if len(queue) >= _MOST_QUEUED:
                if priority is not Priority.INTERIM:
                    raise Overloaded(f"{len(queue)} jobs are waiting for the models")
                oldest = queue.popleft()
            queue.append(job)  # type: ignore[arg-type]  # what a job returns matters to its caller alone
            self._crew.ready.notify()
        if oldest is not None:
            oldest.drop()
        return job

    async def run(self, work: Callable[[], T], priority: Priority) -> T:
        """Do ``work`` and return its result, or raise what it raises.

        :raises Overloaded: when the queue is full, or was dropped because the worker ended.
        """
        done = await self.submit(lambda: (work(),), priority).result()
        if done is None:
            raise Overloaded("the models are shutting down")
        return done[0]

    def withdraw(self, job: Job[T]) -> bool:
        with self._crew.ready:
            try:
                self._queues[job.priority].remove(job)  # type: ignore[arg-type]  # as above
            except ValueError:
                return False
        job.drop()
        return True

    def replace(self, job: Job[T], work: Callable[[], T]) -> bool:
        with self._crew.ready:
            if job not in self._queues[job.priority]:
                return False
            job.change(work)
            return True

    def _take(self) -> Callable[[], None] | None:
        for queue in self._queues.values():
            while queue:
                job = queue.popleft()
                if not job.stale:
                    return job.run
                job.drop()
        return None


@cache
def shared_worker() -> Worker:
    """The worker of this process, one thread for every two cores.

    Each job then has two cores to itself. Measured on two cores (median ms; 4 s of speech to transcribe, a short
    sentence to say): alone 83 and 71 on two threads each, the voice 126 on one; side by side on two workers 161 and
    270 with one thread for the voice, 229 and 519 with two, for threads that share a core spin against each other. One
    after another the second waits 83 ms at most, and the pair is done no later.
    """
    return Worker(max(1, (os.cpu_count() or 2) // 2))


# --- batches ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Answer]):
    owner: Hashable
    item: Item
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Answer]


_Batch = list[_Waiting[Item, Answer]]


class Batcher(Generic[Item, Answer]):
    """Answers items of many owners in batches, on one thread: what comes while one batch runs is the next.

    The items of one owner are answered in order, never two in one batch. The queue holds ``most_waiting`` items and
    refuses more: an owner that waits for its answers never has more than one in it.
    """

    def __init__(
        self, name: str, answer: Callable[[list[Item]], list[Answer]], *, most: int = 32, most_waiting: int = 4096
    ) -> None:
        self._crew = _Crew(name, 1, self._take)
        self._answer = answer
        self._most = most
        self._most_waiting = most_waiting
        self._waiting: deque[_Waiting[Item, Answer]] = deque()

    def enter(self) -> None:
        self._crew.enter()

    async def leave(self) -> None:
        """Once for each ``enter``. With the last user what still waits is refused, and the thread ends."""
        with self._crew.ready:
            threads = self._crew.leave()
            left = [] if self._crew.users else list(self._waiting)
            for waiting in left:
                self._waiting.remove(waiting)
        for waiting in left:
            _post(waiting.loop, partial(_hand_out, [waiting], Overloaded("the model is shutting down")))
        await _gone(threads)

    async def ask(self, owner: Hashable, item: Item) -> Answer:
        """The answer to ``item``, or what answering its batch raised.

        :raises Overloaded: when too many items wait.
        """
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Answer] = _Waiting(owner, item, loop, loop.create_future())
        with self._crew.ready:
            if len(self._waiting) >= self._most_waiting:
                raise Overloaded(f"{len(self._waiting)} items are waiting for the model")
            self._waiting.append(waiting)
            self._crew.ready.notify()
        return await waiting.answer

    def _take(self) -> Callable[[], None] | None:
        if not self._waiting:
            return None
        batch: _Batch[Item, Answer] = []
        later: _Batch[Item, Answer] = []
        owners: set[Hashable] = set()
        while self._waiting and len(batch) < self._most:
            waiting = self._waiting.popleft()
            (later if waiting.owner in owners else batch).append(waiting)
            owners.add(waiting.owner)
        self._waiting.extendleft(reversed(later))
        return partial(self._run, batch)

    def _run(self, batch: _Batch[Item, Answer]) -> None:
        answers: list[Answer] | Exception
        try:
            answers = self._answer([waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001  # whatever a model raises is raised where its answer is awaited
            answers = error
        for loop in {waiting.loop for waiting in batch}:
            # One wake-up of a loop for the whole batch: it costs more than the answer to a window.
            mine = [number for number, waiting in enumerate(batch) if waiting.loop is loop]
            part = answers if isinstance(answers, Exception) else [answers[number] for number in mine]
            _post(loop, partial(_hand_out, [batch[number] for number in mine], part))


def _hand_out(batch: _Batch[Item, Answer], answers: list[Answer] | Exception) -> None:
    for number, waiting in enumerate(batch):
        if waiting.answer.done():
            continue  # cancelled meanwhile
        if isinstance(answers, Exception):
            waiting.answer.set_exception(answers)
        else:
            waiting.answer.set_result(answers[number])


def _post(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        # The loop was closed meanwhile, so nobody waits for this any more.
        return
