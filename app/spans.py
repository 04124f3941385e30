"""A span for each session, for each turn in it, and for each stage of a turn. No attribute holds what anybody said.

Stages are told by the session (``session.aio.spans``), the rest follows from its notices. Times are those of what
happened, also where it is known only later: the stage ``endpoint`` begins with the last voiced sample.
"""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from providers.http_stream import TRACEPARENT
from session.aio.spans import Span as StageSpan
from session.aio.spans import SpanKind as StageKind
from session.notices import (
    Ended,
    ErrorOccurred,
    Latency,
    Notice,
    ReplyDone,
    ReplyStarted,
    TranscriptChanged,
    TurnDone,
    TurnOutcome,
)

if TYPE_CHECKING:
    from app.calls import Call

__all__ = ("CallSpans", "Tracing", "ids", "incoming", "within")

_W3C = TraceContextTextMapPropagator()
_NAMES = {"turn": "turn_detection"}
_NS_PER_MS = 1_000_000

_KEPT_TURNS = 8
"""How many turns that are over may still get a stage: the agent hears of an interruption when its turn has ended."""


def incoming(headers: Mapping[str, str]) -> Context:
    """The trace that a request belongs to by its ``traceparent``; none where that is missing or bad."""
    return _W3C.extract(headers, Context())


def ids(context: Context | None = None) -> dict[str, str]:
    """``trace_id`` and ``span_id`` as they are written in logs, of this context or the present one; empty outside of
    a trace."""
    found = get_current_span(context).get_span_context()
    return {"trace_id": f"{found.trace_id:032x}", "span_id": f"{found.span_id:016x}"} if found.is_valid else {}


@contextmanager
def within(context: Context) -> Iterator[None]:
    """What runs here, and the tasks that are made here, belong to this context."""
    token = contexts.attach(context)
    try:
        yield
    finally:
        contexts.detach(token)


class Tracing:
    """Of one server: nothing is registered globally. Without processors in ``provider`` nothing leaves the process, and
    yet the agent is told which trace it takes part in."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider or TracerProvider(resource=Resource.get_empty(), shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer("beluga-voice")

    def begin(self, call: Call) -> CallSpans:
        """The call has connected: its span begins, as a child of ``call.context``, and takes its place there."""
        return CallSpans(self._tracer, call)

    def shutdown(self) -> None:
        """Send what was not sent yet. Blocks."""
        self._provider.shutdown()


@dataclass(slots=True, eq=False)
class _Turn:
    """``stages``: how many are open. ``over_ns``: when the user's turn was over."""

    span: Span
    context: Context
    stages: int = 0
    replying: bool = False
    over_ns: int | None = None


class CallSpans:
    """The spans of one call: ``note`` hears its notices, ``stage`` is entered by its jobs."""

    def __init__(self, tracer: Tracer, call: Call) -> None:
        self._tracer = tracer
        self._call = call
        self._turns: dict[str, _Turn] = {}  # those that go on: of the user, of the reply, and few more
        self._over: dict[str, Context] = {}
        self._replied: tuple[str, int] | None = None  # a turn of its own, unless a turn of the user's waited for it
        attributes = {"session_id": call.session_id, "transport": call.transport or "none"}
        self._span = tracer.start_span("session", call.context, SpanKind.SERVER, attributes)
        call.context = set_span_in_context(self._span, Context())

    # --- notices --------------------------------------------------------------------------------------------------

    def note(self, notice: Notice) -> None:
        if self._replied is not None and not (isinstance(notice, TurnDone) and notice.turn_id == self._replied[0]):
            self._end(*self._replied)
            self._replied = None
        match notice:
            case TranscriptChanged(turn_id, final=True) if turn_id in self._turns:
                self._turns[turn_id].over_ns = time.time_ns()
            case ReplyStarted(turn_id) if turn_id in self._turns:
                self._turns[turn_id].replying = True
            case ReplyDone(turn_id) if turn_id in self._turns:
                self._turns[turn_id].span.set_attribute("interrupted", notice.interrupted)
                self._replied = turn_id, time.time_ns()
            case TurnDone(turn_id) if turn_id in self._turns:
                self._replied = None
                self._turn_done(self._turns[turn_id], notice)
            case ErrorOccurred(code):
                self._span.add_event("error", {"code": code})
                if notice.fatal:
                    self._span.set_status(Status(StatusCode.ERROR, code))
            case Ended(reason):
                self._ended(reason)
            case _:
                pass

    def _turn_done(self, turn: _Turn, done: TurnDone) -> None:
        latency = done.latency
        turn.span.set_attributes({"outcome": done.outcome, **_known(latency)})
        if turn.over_ns is not None and latency.endpoint_ms is not None:
            voiced_ns = turn.over_ns - latency.endpoint_ms * _NS_PER_MS
            attributes = {"session_id": self._call.session_id, "turn_id": done.turn_id}
            endpoint = self._tracer.start_span("endpoint", turn.context, attributes=attributes, start_time=voiced_ns)
            endpoint.end(turn.over_ns)
            if latency.response_ms is not None:
                turn.span.add_event("first_audio", timestamp=voiced_ns + latency.response_ms * _NS_PER_MS)
        if done.outcome is TurnOutcome.FAILED:
            turn.span.set_status(Status(StatusCode.ERROR, done.outcome))
        self._end(done.turn_id)

    def _end(self, turn_id: str, at_ns: int | None = None) -> None:
        turn = self._turns.pop(turn_id, None)
        if turn is not None:
            turn.span.end(at_ns)
            self._over[turn_id] = turn.context
            if len(self._over) > _KEPT_TURNS:
                del self._over[next(iter(self._over))]

    def _ended(self, reason: str) -> None:
        for turn_id in tuple(self._turns):
            self._end(turn_id)
        self._span.set_attributes({"reason": reason, "turns": self._call.turns})
        self._span.end()

    # --- stages ---------------------------------------------------------------------------------------------------

    @contextmanager
    def stage(self, kind: StageKind, provider: str, turn_id: str) -> Iterator[StageSpan]:
        """``Spans`` of the session. Whatever the job sends to an agent carries the ``traceparent`` of its span."""
        turn = self._turn(turn_id)
        parent = turn.context if turn is not None else self._over.get(turn_id, self._call.context)
        attributes = self._attributes(turn_id) | {"provider": provider}
        span_kind = SpanKind.CLIENT if kind in {"agent", "notify"} else SpanKind.INTERNAL
        span = self._tracer.start_span(_NAMES.get(kind, kind), parent, span_kind, attributes)
        stage, context = _Stage(span), set_span_in_context(span, parent)
        told = TRACEPARENT.set(_traceparent(context))
        try:
            with within(context):
                yield stage
        except CancelledError:
            span.set_attributes({"cancelled": True})
            raise
        finally:
            TRACEPARENT.reset(told)
            stage.end()
            if turn is not None:
                turn.stages -= 1
                self._sweep()

    def _turn(self, turn_id: str) -> _Turn | None:
        """None for what belongs to no turn, and for what comes when the turn, or the session, is over."""
        if not turn_id or turn_id in self._over or not self._span.is_recording():
            return None
        turn = self._turns.get(turn_id)
        if turn is None:
            span = self._tracer.start_span("turn", self._call.context, attributes=self._attributes(turn_id))
            turn = self._turns[turn_id] = _Turn(span, set_span_in_context(span, self._call.context))
        turn.stages += 1
        self._sweep()
        return turn

    def _sweep(self) -> None:
        """End turns of which nothing more is told: a greeting without words, a draft that was given up."""
        *earlier, _ = self._turns or [""]
        for turn_id in earlier:
            turn = self._turns[turn_id]
            if not turn.stages and not turn.replying and turn.over_ns is None:
                self._end(turn_id)

    def _attributes(self, turn_id: str) -> dict[str, str]:
        known = {"session_id": self._call.session_id, "state": str(self._call.state)}
        return known | {"turn_id": turn_id} if turn_id else known


class _Stage:
    """One job's ``Span``."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._error: str | None = None

    def asks(self, provider: str) -> None:
        self._span.set_attribute("provider", provider)
        self._error = None

    def first_result(self, latency_ms: int) -> None:
        self._span.set_attribute("latency_ms", latency_ms)

    def over(self, error: str | None) -> None:
        self._error = error
        if error is not None:
            self._span.add_event("failed", {"error": error})

    def end(self) -> None:
        if self._error is not None:
            self._span.set_attribute("error", self._error)
            self._span.set_status(Status(StatusCode.ERROR, self._error))
        self._span.end()


def _traceparent(context: Context) -> str | None:
    headers: dict[str, str] = {}
    _W3C.inject(headers, context)
    return headers.get("traceparent")


def _known(latency: Latency) -> dict[str, int]:
    names = ("endpoint_ms", "stt_ms", "agent_ms", "tts_ms", "response_ms")
    return {name: value for name in names if (value := getattr(latency, name)) is not None}
