"""What a session raises and reports: one class, and a code that says what kind of mistake it was.

The caller's fault: ``invalid_config``, ``invalid_input``, ``invalid_state``, ``session_not_found``,
``session_already_active``, ``session_not_active``, ``session_expired``, ``unauthorized``. The world's: ``timeout``,
``capacity``, ``agent_error``, ``stt_error``, ``tts_error``, ``transport_error``. Ours: ``internal_error``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = ("ErrorCode", "SessionError")


class ErrorCode(StrEnum):
    INVALID_CONFIG = "invalid_config"
    INTERNAL_ERROR = "internal_error"
    INVALID_STATE = "invalid_state"
    TIMEOUT = "timeout"
    SESSION_NOT_FOUND = "session_not_found"
    SESSION_ALREADY_ACTIVE = "session_already_active"
    SESSION_NOT_ACTIVE = "session_not_active"
    SESSION_EXPIRED = "session_expired"
    INVALID_INPUT = "invalid_input"
    AGENT_ERROR = "agent_error"
    STT_ERROR = "stt_error"
    TTS_ERROR = "tts_error"
    TRANSPORT_ERROR = "transport_error"
    CAPACITY = "capacity"
    UNAUTHORIZED = "unauthorized"


_RETRYABLE = frozenset({ErrorCode.TIMEOUT, ErrorCode.CAPACITY})


class SessionError(Exception):
    """``details`` names what was wrong in a form that a program can read, such as ``{"field": "timeout"}``."""

    def __init__(
        self,
        op: str,
        code: ErrorCode,
        message: str,
        *,
        cause: BaseException | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"session {op}: {message} (code: {code})")
        self.op = op
        self.code = code
        self.message = message
        self.cause = cause
        self.details = dict(details or {})
        self.__cause__ = cause

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later: by its code, or because the provider behind it said so."""
        return self.code in _RETRYABLE or bool(getattr(self.cause, "retryable", False))
