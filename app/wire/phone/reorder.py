"""Numbered pieces of audio put in order again."""

from __future__ import annotations

__all__ = ("Reorder",)

RESTART = 50


class Reorder:
    """Waits for a missing piece until ``window`` later ones are there, then goes on without it.

    What comes after its turn is dropped. A number that is ``RESTART`` or more too low starts the count anew.
    """

    def __init__(self, window: int = 5) -> None:
        self._window = window
        self._next: int | None = None
        self._held: dict[int, bytes] = {}

    def add(self, number: int, piece: bytes) -> list[bytes]:
        """What can be played now."""
        before: list[bytes] = []
        if self._next is None or number <= self._next - RESTART:
            before = self.rest()
            self._next = number
        if number < self._next:
            return before
        self._held[number] = piece
        if number != self._next and len(self._held) >= self._window:
            self._next = min(self._held)
        return before + self._run()

    def rest(self) -> list[bytes]:
        """All that is still held, when nothing more will come."""
        pieces = [self._held[number] for number in sorted(self._held)]
        self._held.clear()
        return pieces

    def _run(self) -> list[bytes]:
        pieces = []
        while self._next in self._held:
            pieces.append(self._held.pop(self._next))
            self._next += 1
        return pieces
