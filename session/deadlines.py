"""Named deadlines on the session's one clock. Setting a name again moves it."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ("Deadlines",)

Name = TypeVar("Name", bound=str)


class Deadlines(Generic[Name]):
    def __init__(self) -> None:
        self._at_ms: dict[Name, int] = {}

    def set(self, name: Name, at_ms: int) -> None:
        self._at_ms[name] = at_ms

    def clear(self, *names: Name) -> None:
        for name in names:
            self._at_ms.pop(name, None)

    def clear_all(self) -> None:
        self._at_ms.clear()

    def is_set(self, name: Name) -> bool:
        return name in self._at_ms

    def next_ms(self) -> int | None:
        return min(self._at_ms.values(), default=None)

    def pop_due(self, now_ms: int) -> Name | None:
        """The earliest deadline that has come, which is thereby cleared."""
        due = min(self._at_ms, key=self._at_ms.__getitem__, default=None)
        if due is None or self._at_ms[due] > now_ms:
            return None
        del self._at_ms[due]
        return due
