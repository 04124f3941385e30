"""Marks of gateways that send them back alike, whether the audio before them was played or dropped."""

from __future__ import annotations

from app.wire.phone.api import MarkReached

__all__ = ("Marks",)

MAX_OPEN = 1024


class Marks:
    """A mark that was on its way back when the clear was sent counts as dropped: nobody can tell."""

    def __init__(self) -> None:
        self._dropped: dict[str, bool] = {}

    def ask(self, name: str) -> None:
        """Of more than ``MAX_OPEN`` that never came back the oldest is forgotten."""
        self._dropped[name] = False
        if len(self._dropped) > MAX_OPEN:
            del self._dropped[next(iter(self._dropped))]

    def clear(self) -> None:
        self._dropped = dict.fromkeys(self._dropped, True)

    def reached(self, name: str) -> MarkReached:
        return MarkReached(name, heard=not self._dropped.pop(name, False))
