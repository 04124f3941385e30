"""A user's callbacks: sync or async, in order, and never able to break the session."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

from session.states import SessionState

__all__ = ("StateCallback", "StateCallbacks")

logger = logging.getLogger(__name__)

StateCallback = Callable[[SessionState], Awaitable[None] | None]


class StateCallbacks:
    """Calls each callback once per change. Async ones are awaited one after another, in a task of their own, so that
    they may call the session. What they raise is logged and counted in ``failures``."""

    def __init__(self) -> None:
        self.failures = 0
        self._callbacks: list[StateCallback] = []
        self._awaiting: asyncio.Queue[Awaitable[None]] = asyncio.Queue()  # bounded by the number of state changes
        self._task: asyncio.Task[None] | None = None

    def add(self, callback: StateCallback) -> None:
        self._callbacks.append(callback)

    def call(self, state: SessionState) -> None:
        for callback in self._callbacks:
            try:
                result = callback(state)
            except Exception as error:  # noqa: BLE001 -- the user's code must not break the session
                self._failed(error)
                continue
            if inspect.isawaitable(result):
                self._awaiting.put_nowait(result)
                if self._task is None or self._task.done():
                    self._task = asyncio.create_task(self._await_all())

    async def settle(self, limit_s: float) -> None:
        """Wait until the async ones have run, a while at most; at once when one of them is who asks."""
        if self._task is not None and self._task is not asyncio.current_task():
            await asyncio.wait([self._task], timeout=limit_s)

    async def _await_all(self) -> None:
        while not self._awaiting.empty():
            try:
                await self._awaiting.get_nowait()
            except Exception as error:  # noqa: BLE001 -- as above
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        logger.error("a state callback raised", exc_info=error)
