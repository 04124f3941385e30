"""The notices of a session as server-sent events: the same objects as on the socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from app.calls import Call
from app.wire import messages
from session.notices import Ended, Notice

__all__ = ("Events",)

_MAX_WAITING = 1000
"""A reader that is so far behind is let go: it sees its stream end, and not a story with holes."""

_COMMENT_EVERY_S = 15.0
"""Proxies close what is silent for longer."""


class Events:
    """One reader of one call, from now to the call's end."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()
        call.listeners.append(self._listen)

    def _listen(self, notice: Notice) -> None:
        text = messages.encode(notice)
        if text is not None:
            self._waiting.put_nowait(f"data: {text}\n\n")
        if isinstance(notice, Ended) or self._waiting.qsize() >= _MAX_WAITING:
            self._leave()
            self._waiting.put_nowait(None)

    def _leave(self) -> None:
        if self._listen in self._call.listeners:
            self._call.listeners.remove(self._listen)

    async def stream(self) -> AsyncIterator[str]:
        try:
            yield ": connected\n\n"
            while True:
                try:
                    async with asyncio.timeout(_COMMENT_EVERY_S):
                        text = await self._waiting.get()
                except TimeoutError:
                    text = ":\n\n"
                if text is None:
                    return
                yield text
        finally:
            self._leave()
