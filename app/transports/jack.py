"""Where a connection is plugged into a session: the session's end of it stays, connections come and go."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from app.wire import messages
from session.errors import ErrorCode
from session.notices import ErrorOccurred, Notice, ReplyDone, ReplyStarted, ReplyText, StateChanged, TranscriptChanged

__all__ = ("Jack", "Plug")

MISSED_NOTICES = 200
"""What was said while nobody was connected is told to who comes back; of more than this the oldest is forgotten."""

_TAKEN_OVER = "another connection has taken the session over"


class Plug(Protocol):
    """A connection's end: a session's ``Transport``, and the same for messages."""

    rate_hz: int

    def send_audio(self, frame: bytes) -> None: ...

    def clear(self) -> None: ...

    async def aclose(self) -> None: ...

    def tell(self, notice: Notice) -> None: ...

    def send(self, text: str) -> None: ...

    def close(self, code: int, reason: str) -> None: ...


class Jack:
    """A session's ``Transport`` and, by ``tell``, the listener to its notices; both for whichever plug is in.

    ``input_rate_hz`` and ``rate_hz`` are those of the first connection, and of every other.
    """

    def __init__(self, plug: Plug, *, input_rate_hz: int) -> None:
        self.rate_hz = plug.rate_hz
        self.input_rate_hz = input_rate_hz
        self._plug: Plug | None = plug
        self._state: StateChanged | None = None
        self._missed: deque[Notice] = deque(maxlen=MISSED_NOTICES)

    # --- what the session calls

    def send_audio(self, frame: bytes) -> None:
        if self._plug is not None:
            self._plug.send_audio(frame)

    def clear(self) -> None:
        if self._plug is not None:
            self._plug.clear()

    async def aclose(self) -> None:
        if self._plug is not None:
            await self._plug.aclose()

    def tell(self, notice: Notice) -> None:
        if isinstance(notice, StateChanged):
            self._state = notice
        if self._plug is not None:
            self._plug.tell(notice)
        elif _outlives_its_moment(notice):
            self._missed.append(notice)

    # --- what the endpoint calls

    def holds(self, plug: Plug) -> bool:
        return self._plug is plug

    def unplug(self) -> None:
        self._plug = None

    def take_over(self, plug: Plug, ready: str) -> None:
        """Plug in a connection; it hears ``ready``, the present state, and what was missed. One still in is closed."""
        old, self._plug = self._plug, plug
        if old is not None:
            old.clear()
            old.send(messages.error(ErrorCode.SESSION_ALREADY_ACTIVE, _TAKEN_OVER, fatal=True))
            old.close(4409, _TAKEN_OVER)
        plug.send(ready)
        if self._state is not None:
            plug.tell(self._state)
        while self._missed:
            plug.tell(self._missed.popleft())


def _outlives_its_moment(notice: Notice) -> bool:
    """What was said, by whom and how it ended; not who was speaking just then."""
    match notice:
        case TranscriptChanged(final=final):
            return final
        case ReplyStarted() | ReplyText() | ReplyDone() | ErrorOccurred():
            return True
        case _:
            return False
