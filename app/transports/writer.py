"""One task that writes to a WebSocket what there is to write, and the close behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Send

__all__ = ("Writer",)


class Writer:
    """``take`` gives the next message, or None where nothing is to be written now; ``done`` is called when it has been.
    Nothing here waits, except ``write``, which one task runs."""

    def __init__(self, take: Callable[[], str | bytes | None], done: Callable[[], None]) -> None:
        self._take = take
        self._done = done
        self._wake = asyncio.Event()
        self._farewell: tuple[int, str] | None = None

    @property
    def closing(self) -> bool:
        """Whether the last word is in the queue, or written: what the client still sends is for nobody."""
        return self._farewell is not None

    def wake(self) -> None:
        """There may be something to take."""
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """After what is waiting. The first code stands."""
        if self._farewell is None:
            self._farewell = (code, reason)
            self._wake.set()

    async def write(self, send: Send) -> None:
        """Write until closed. Ends early, quietly, when the client is gone."""
        try:
            while True:
                item = self._take()
                if item is not None:
                    kind = "text" if isinstance(item, str) else "bytes"
                    await send({"type": "websocket.send", kind: item})
                    self._done()
                elif self._farewell is not None:
                    code, reason = self._farewell
                    await send({"type": "websocket.close", "code": code, "reason": reason})
                    return
                else:
                    self._wake.clear()
                    await self._wake.wait()
        except (OSError, RuntimeError):
            # The connection is gone, or another message has closed it: the reader sees that too, and tells the session.
            return
