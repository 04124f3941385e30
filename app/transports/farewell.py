"""Why a connection is closed, in words and as a close code."""

from __future__ import annotations

from app.wire import messages
from session.errors import ErrorCode

__all__ = ("Farewell", "too_long")


class Farewell(Exception):
    """Say what was wrong, and close with ``code``."""

    def __init__(self, code: int, error: ErrorCode, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.error = error
        self.retryable = retryable

    @property
    def text(self) -> str:
        return messages.error(self.error, str(self), retryable=self.retryable, fatal=True)


def too_long() -> Farewell:
    return Farewell(4413, ErrorCode.INVALID_INPUT, "a message has at most 1 MiB")
