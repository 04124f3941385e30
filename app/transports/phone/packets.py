"""Frames put together to the packets that a gateway wants."""

from __future__ import annotations

from session.pacer import FRAME_MS

__all__ = ("Packer",)


class Packer:
    """What is not a whole packet waits for more frames, or for ``rest``."""

    def __init__(self, packet_ms: int) -> None:
        self._most_frames = max(1, packet_ms // FRAME_MS)
        self._frames: list[bytes] = []

    def add(self, frame: bytes) -> bytes:
        """A packet, when there is one; else nothing."""
        self._frames.append(frame)
        return self.rest() if len(self._frames) >= self._most_frames else b""

    def rest(self) -> bytes:
        packet = b"".join(self._frames)
        self._frames.clear()
        return packet
