"""The data channel `events`: text messages both ways, kept until it is there, refused where they do not fit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from aiortc import RTCDataChannel

from app.transports.outbox import MAX_PENDING_BYTES
from app.wire import messages
from session.errors import ErrorCode

__all__ = ("LABEL", "MessageChannel")

LABEL = "events"

_MISSED_MESSAGES = 200
"""A client may never open the channel. When it does, it hears the first and, of what came after, the latest."""

_POLL_S = 0.01


class MessageChannel:
    """`received` is given each text message; `stalled` is called when the client does not read."""

    def __init__(self, received: Callable[[str], None], stalled: Callable[[], None]) -> None:
        self._received = received
        self._stalled = stalled
        self._channel: RTCDataChannel | None = None
        self._first: str | None = None
        self._missed: deque[str] = deque(maxlen=_MISSED_MESSAGES)

    def attach(self, channel: RTCDataChannel) -> None:
        """A later one takes the place of an earlier one. One of another name is nobody's."""
        if channel.label != LABEL:
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._take)
        self._catch_up()

    def send(self, text: str) -> None:
        """The first message, which is `ready`, is the first of every channel, however late."""
        if self._first is None:
            self._first = text
            self._catch_up()
        elif self._is_open:
            self._write(text)
        else:
            self._missed.append(text)

    async def flush(self, limit_s: float) -> None:
        """Until the client has all that was sent, or the limit is over."""
        try:
            async with asyncio.timeout(limit_s):
                while self._is_open and self._unacknowledged:  # noqa: ASYNC110 - nobody is told
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            return

    @property
    def _is_open(self) -> bool:
        channel = self._channel
        # A peer that has left ends DTLS first; what is sent after that fails in a task of aiortc's.
        return channel is not None and channel.readyState == "open" and channel.transport.transport.state == "connected"

    @property
    def _unacknowledged(self) -> bool:
        if self._channel is None:
            return False
        association = self._channel.transport
        # aiortc counts a message as sent once it is cut into chunks (private names: see ice/compatibility.py).
        return bool(self._channel.bufferedAmount or association._outbound_queue or association._sent_queue)  # noqa: SLF001

    def _catch_up(self) -> None:
        if self._first is None or not self._is_open:
            return
        self._write(self._first)
        while self._missed:
            self._write(self._missed.popleft())

    def _write(self, text: str) -> None:
        channel = self._channel
        if channel is None:
            return
        try:
            channel.send(text)
        except ValueError as error:
            # The client has told how long a message it takes.
            refusal = f"a message for you was not sent: {error}"
            channel.send(messages.error(ErrorCode.TRANSPORT_ERROR, refusal))
        if channel.bufferedAmount > MAX_PENDING_BYTES:
            self._stalled()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._received(message)
        else:
            self.send(messages.error(ErrorCode.INVALID_INPUT, "messages are text; audio has its own track"))
