"""An event loop whose clock jumps: when nothing is ready, it is the time of the next timer.

Minutes of a call take milliseconds, and take the same course each time. What a thread does takes no time at all on this
clock. There is no network: a connection would be waited for, while time does not pass.
"""

from __future__ import annotations

import asyncio
import math
import random
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import NoReturn, TypeVar

__all__ = ("NothingWillHappen", "VirtualTimeLoop", "run")

T = TypeVar("T")

_BIAS_S = 1e-7
"""The clock shows this much more, so that a whole millisecond is never shown as the last bit before it."""


class NothingWillHappen(Exception):
    """Everything waits, and no timer is set: the coroutine would never end."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0."""

    def __init__(self) -> None:
        self._now_us = 0
        self._in_threads = 0
        super().__init__(_Selector(self._pass))

    def time(self) -> float:
        return self._now_us / 1e6 + _BIAS_S

    def _pass(self, timeout_s: float | None) -> bool:
        """Nothing is ready. Whether to look again at once; else a thread is to be waited for."""
        if self._in_threads:
            return False
        if timeout_s is None:
            raise NothingWillHappen("everything waits for something that no timer and no thread brings")
        self._now_us += max(1, math.ceil(timeout_s * 1e6 - 0.01))
        return True

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: object) -> asyncio.Future[T]:
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._left_thread)
        return future

    def _left_thread(self, _: object) -> None:
        self._in_threads -= 1

    async def shutdown_default_executor(self) -> None:
        self._in_threads += 1
        await super().shutdown_default_executor()
        self._left_thread(None)

    async def create_connection(self, *_: object, **__: object) -> NoReturn:
        """:raises OSError: as an address that cannot be reached."""
        raise OSError("there is no network in virtual time")


class _Selector(selectors.DefaultSelector):
    """Never waits, unless for a thread."""

    def __init__(self, passes: Callable[[float | None], bool]) -> None:
        super().__init__()
        self._passes = passes

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0 or self._passes(timeout):
            return ready
        return super().select(None)


def run(work: Coroutine[object, object, T], *, seed: int = 0) -> T:
    """As ``asyncio.run``, in virtual time. ``seed``: of ``random``, which is as before afterwards.

    :raises NothingWillHappen: where a real loop would hang. RuntimeError: where a loop is running already.
    """
    if asyncio._get_running_loop() is not None:  # noqa: SLF001 -- exported, and the only question that raises nothing
        work.close()
        raise RuntimeError("an event loop is running here: virtual time is for functions that are not async")
    before = random.getstate()
    random.seed(seed)
    try:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(work)
    finally:
        random.setstate(before)
