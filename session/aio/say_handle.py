"""What ``say`` returns: a hold on one utterance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from session.notices import ReplyDone

__all__ = ("SayHandle",)


class SayHandle:
    """``heard_text`` and ``interrupted`` are known once ``wait_for_playout`` has returned."""

    def __init__(self, utterance_id: str, cancel: Callable[[str], None]) -> None:
        self.utterance_id = utterance_id
        self.heard_text = ""
        self.interrupted = False
        self._cancel = cancel
        self._done = asyncio.Event()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    async def wait_for_playout(self) -> None:
        """Return when the last sample was heard, or when it was cancelled, interrupted or failed."""
        await self._done.wait()

    async def cancel(self) -> None:
        """Stop saying it, or never begin. Idempotent; works even where interruptions are not allowed."""
        if not self.done:
            self._cancel(self.utterance_id)

    def finish(self, notice: ReplyDone) -> None:
        """The session's call: the utterance is over."""
        self.heard_text, self.interrupted = notice.heard_text, notice.interrupted
        self._done.set()
