"""The way a session's audio takes to its listener."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

__all__ = ("Buffered", "CanPing", "HasBuffer", "Transport")


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


Buffered = Literal["kept", "dropped", "plays on"]
"""What becomes of the audio in a buffer when it is told to stop."""


@runtime_checkable
class HasBuffer(Protocol):
    """What a transport has besides, whose other end plays from a buffer of its own that can be steered.

    Whoever drives it tells ``VoiceSession.mark_reached`` of marks that came back, and ``VoiceSession.room_changed``
    when the buffer is full and when it has room again.
    """

    lead_ms: int
    """How far ahead of the clock audio is to be sent."""
    returns_marks: bool

    def mark(self, number: int) -> None:
        """Here something ends: what was handed over is sent, whatever it would have been put together with. To be sent
        back when it has been played, where it ``returns_marks``."""

    def pause(self) -> Buffered:
        """Stop what plays, if it can be stopped."""

    def resume(self) -> None:
        """After a pause that ``kept`` it."""
