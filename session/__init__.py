"""A conversation between a caller and an agent: the engine that decides, and the shell that runs it."""

from session.config import (
    Chunking,
    Endpointing,
    Interruption,
    Preemptive,
    SayOptions,
    SessionConfig,
)
from session.errors import ErrorCode, SessionError
from session.states import SessionState

__all__ = (
    "Chunking",
    "Endpointing",
    "ErrorCode",
    "Interruption",
    "Preemptive",
    "SayOptions",
    "SessionConfig",
    "SessionError",
    "SessionState",
)
