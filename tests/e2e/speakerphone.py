"""A telephone on the table: what it plays comes back through its microphone, later and fainter."""

from __future__ import annotations

import numpy as np

__all__ = ("Speakerphone",)

FRAME_MS = 20


class Speakerphone:
    """``returned`` gives the echo, 16-bit mono, as many bytes as asked for; silence while nothing is played."""

    def __init__(self, *, delay_ms: int = 200, below_db: float = 15.0) -> None:
        self._to_play = bytearray()
        self._in_the_air = [b""] * (delay_ms // FRAME_MS)
        self._gain = 10 ** (-below_db / 20)

    def plays(self, frame: bytes) -> None:
        self._to_play += frame

    def clear(self) -> None:
        self._to_play.clear()

    def returned(self, frame_bytes: int) -> bytes:
        self._in_the_air.append(bytes(self._to_play[:frame_bytes]).ljust(frame_bytes, b"\0"))
        del self._to_play[:frame_bytes]
        faint = np.frombuffer(self._in_the_air.pop(0).ljust(frame_bytes, b"\0"), "<i2") * self._gain
        returned: bytes = np.rint(faint).astype("<i2").tobytes()
        return returned

    def mixed(self, frame: bytes) -> bytes:
        """The caller's own voice, and the echo."""
        both = np.frombuffer(frame, "<i2").astype(np.int32) + np.frombuffer(self.returned(len(frame)), "<i2")
        mixed: bytes = np.clip(both, -32_768, 32_767).astype("<i2").tobytes()
        return mixed
