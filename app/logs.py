"""Log lines: one when a session starts, one a turn, one when it ends, none a frame; JSON, or colours on a terminal.

What was said is in none of them unless ``log.transcripts`` asks for it.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from app import spans
from app.settings import Log
from session.notices import (
    Ended,
    ErrorOccurred,
    Latency,
    Notice,
    ReplyDone,
    StateChanged,
    TranscriptChanged,
    TurnDone,
)
from session.states import SessionState

if TYPE_CHECKING:
    from app.calls import Call

__all__ = ("configure", "watcher")

logger = structlog.get_logger("beluga.session")


def configure(log: Log) -> None:
    """Everything that logs in this process, through the standard library too, to stderr in one form."""
    console = log.format == "console" or (log.format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    handler.addFilter(_Sparing().filter)
    logging.basicConfig(handlers=[handler], level=log.level.upper(), force=True)
    # Its lines name every connection with the query string, and so with the token.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    # Theirs name every address of a caller.
    logging.getLogger("aioice").setLevel(logging.WARNING)
    logging.getLogger("aiortc").setLevel(logging.WARNING)


def _add_trace(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Of what the line was written in, unless it says so itself."""
    for name, value in spans.ids().items():
        line.setdefault(name, value)
    return line


class _Sparing:
    """A filter: what OpenTelemetry says of a receiver that does not take what it is sent is said once in a while, and
    without a traceback."""

    def __init__(self, every_s: float = 60.0, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock_s = clock_s
        self._last_s: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("opentelemetry."):
            return True
        now_s = self._clock_s()
        if self._last_s is not None and now_s - self._last_s < self._every_s:
            return False
        self._last_s = now_s
        record.exc_info = record.exc_text = None
        return True


def watcher(log: Log) -> Callable[[Call], Callable[[Notice], None]]:
    """A listener for each call."""
    return lambda call: _Diary(call, transcripts=log.transcripts).note


class _Diary:
    def __init__(self, call: Call, *, transcripts: bool) -> None:
        self._call = call
        self._log = logger.bind(session_id=call.session_id, transport=call.transport, **spans.ids(call.context))
        self._transcripts = transcripts
        self._said: dict[str, dict[str, str]] = {}
        self._started_s = time.monotonic()

    def note(self, notice: Notice) -> None:
        match notice:
            case StateChanged(SessionState.LISTENING, SessionState.INITIAL):
                self._log.info("session started")
            case TranscriptChanged(turn_id, text, final=True) if self._transcripts:
                self._said.setdefault(turn_id, {})["user"] = text
            case ReplyDone(turn_id, text, heard) if self._transcripts:
                self._said.setdefault(turn_id, {}).update(assistant=text, heard=heard)
            case TurnDone(turn_id, outcome, latency):
                said = self._said.pop(turn_id, {})
                self._log.info("turn", turn_id=turn_id, outcome=str(outcome), **_known(latency), **said)
            case ErrorOccurred():
                # The message may quote what the agent answered, and so what the caller said.
                message = {"message": notice.message} if self._transcripts else {}
                self._log.warning("error", code=str(notice.code), retryable=notice.retryable, **message)
            case Ended(reason):
                duration_s = round(time.monotonic() - self._started_s, 1)
                self._log.info("session ended", reason=str(reason), duration_s=duration_s, turns=self._call.turns)
            case _:
                pass


def _known(latency: Latency) -> dict[str, int]:
    names = ("endpoint_ms", "stt_ms", "agent_ms", "tts_ms", "response_ms")
    return {name: value for name in names if (value := getattr(latency, name)) is not None}
