"""Keys pressed one after another are one answer: "1234#". Pure; time is an argument."""

from __future__ import annotations

from app.settings.telephony import Dtmf

__all__ = ("DigitCollector",)


class DigitCollector:
    """The terminator ends an answer and is no part of it, unless it is the only key pressed."""

    def __init__(self, settings: Dtmf) -> None:
        self._settings = settings
        self._digits = ""
        self._due_ms: int | None = None

    @property
    def due_ms(self) -> int | None:
        """When ``expire`` has something to give, if no further key comes."""
        return self._due_ms

    def press(self, digit: str, now_ms: int) -> str | None:
        """The whole answer, if this key ends it."""
        ends = digit == self._settings.terminator
        if not (ends and self._digits):
            self._digits += digit
        if ends or len(self._digits) >= self._settings.max_digits:
            return self._take()
        self._due_ms = now_ms + round(self._settings.timeout * 1000)
        return None

    def expire(self, now_ms: int) -> str | None:
        """The answer that is over because no further key came in time."""
        return self._take() if self._due_ms is not None and now_ms >= self._due_ms else None

    def _take(self) -> str:
        digits, self._digits, self._due_ms = self._digits, "", None
        return digits
