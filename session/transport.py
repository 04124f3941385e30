"""The way a session's audio takes to its listener."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

__all__ = ("CanPing", "Transport")


class Transport(Protocol):
    """Takes what a session has to say. Nothing here blocks, waits or raises: a transport bounds its own queue.

    Audio is signed 16-bit little-endian mono at ``rate_hz``, 20 ms a frame, already paced.
    """

    rate_hz: int

    def send_audio(self, frame: bytes) -> None: ...

    def clear(self) -> None:
        """Drop the audio that was handed over and is not on the wire yet."""

    async def aclose(self) -> None: ...


@runtime_checkable
class CanPing(Protocol):
    """What a transport has besides, whose other end can be asked for a sign of life."""

    async def ping(self) -> None:
        """Return when the other end has answered. Cancelled when the session ends; what it raises is no answer."""
