"""What may be used once: remembered until it would have expired anyway."""

from __future__ import annotations

__all__ = ("SeenOnce",)


class SeenOnce:
    """At most ``limit`` at a time; past that, nothing new is accepted: forgetting early would let the old back in.

    To be asked only about what is proven to be genuine, so that no stranger can fill it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._until_s: dict[str, float] = {}

    def first(self, name: str, *, until_s: float, now_s: float) -> bool:
        """Whether ``name`` has not been seen before. ``until_s``: from when on it is refused without us."""
        if name in self._until_s and self._until_s[name] > now_s:
            return False
        if len(self._until_s) >= self._limit:
            self._until_s = {name: until_s for name, until_s in self._until_s.items() if until_s > now_s}
        if len(self._until_s) >= self._limit:
            return False
        self._until_s[name] = until_s
        return True
