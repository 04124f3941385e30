"""What operators measure, fed by the notices of the sessions. No label holds anything of a caller."""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from session import FrameCounts
from session.breaker import Breaker
from session.notices import (
    DraftJudged,
    Ended,
    ErrorOccurred,
    InterruptionJudged,
    Notice,
    ProviderCalled,
    StateChanged,
    TurnDone,
)
from session.states import SessionState

if TYPE_CHECKING:
    from app.calls import Call

__all__ = ("AUDIO_SAMPLE_EVERY", "LAG_SAMPLE_EVERY_S", "Metrics")

AUDIO_SAMPLE_EVERY = 50
"""One ``process_audio`` in so many is timed: at 50 frames a second, one a second for each caller."""

LAG_SAMPLE_EVERY_S = 0.25

# What a caller can tell apart lies between 100 ms and 2 s; the rest is for finding out how bad it was.
_RESPONSE_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
_STAGE_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_OPERATION_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_DURATION_S = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)
_LAG_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)

_STAGES = ("endpoint", "stt", "agent", "tts")

# Gauges of when a counter was made are not in the list of metrics, and double its length.
disable_created_metrics()  # type: ignore[no-untyped-call] # it has no annotations


_OneBreaker = tuple[str, str, Breaker]


class Metrics:
    """Of one server: nothing is registered globally."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name, text, labels, registry=registry, buckets=buckets)

        self._started = counter("session_started", "Sessions that started.", "transport")
        self._stopped = counter("session_stopped", "Sessions that ended.", "transport", "reason")
        self._errors = counter("session_errors", "Errors in sessions.", "code")
        self._refused = counter("sessions_refused", "Sessions that were not admitted.", "reason")
        self._turns = counter("turns", "Turns of users that are over.", "outcome")
        self._interruptions = counter("interruptions", "Possible interruptions that were judged.", "outcome")
        self._drafts = counter("preemptive", "Answers that were asked for before the turn was over.", "outcome")
        self._requests = counter("provider_requests", "Requests to providers.", "kind", "provider")
        self._failures = counter("provider_errors", "Failed requests to providers.", "kind", "provider", "code")
        self._duration = histogram("session_duration_seconds", "Start to end.", _DURATION_S, "transport")
        self._operation = histogram(
            "session_operation_latency_seconds",
            f"Operations of a session; process_audio is timed once in {AUDIO_SAMPLE_EVERY}.",
            _OPERATION_S,
            "operation",
        )
        self._response = histogram(
            "turn_response_latency_seconds", "Last voiced sample to first frame of the reply.", _RESPONSE_S, "transport"
        )
        self._stage = histogram("turn_stage_latency_seconds", "The parts of a turn.", _STAGE_S, "stage")
        self._stop_latency = histogram(
            "interruption_stop_latency_seconds", "Onset of speech to the last frame of the reply.", _STAGE_S
        )
        self._provider = histogram("provider_latency_seconds", "Request to first result.", _STAGE_S, "kind", "provider")
        self._lag = histogram("event_loop_lag_seconds", "How late the event loop runs a timer.", _LAG_S)

    def read(
        self, frames: FrameCounts, calls: Callable[[], tuple[Call, ...]], breakers: Sequence[_OneBreaker] = ()
    ) -> None:
        """Show what is counted elsewhere: the frames of all sessions, the calls that exist, and each breaker with the
        kind and the name of its provider."""
        self.registry.register(_Live(frames, calls, breakers))

    def render(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics for those that ask for it."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    @contextmanager
    def operation(self, name: str) -> Iterator[None]:
        with self._operation.labels(name).time():
            yield

    def watch(self, call: Call) -> Callable[[Notice], None]:
        """A listener for one call that has just connected."""
        transport = call.transport or "none"
        started_s: float | None = None

        def observe(notice: Notice) -> None:
            nonlocal started_s
            match notice:
                case StateChanged(previous=SessionState.INITIAL):
                    started_s = time.monotonic()
                    self._started.labels(transport).inc()
                case Ended(reason) if started_s is not None:
                    self._stopped.labels(transport, reason).inc()
                    self._duration.labels(transport).observe(time.monotonic() - started_s)
                case TurnDone():
                    self._turn(notice, transport)
                case _:
                    self._other(notice)

        return observe

    def _turn(self, turn: TurnDone, transport: str) -> None:
        self._turns.labels(turn.outcome).inc()
        if turn.latency.response_ms is not None:
            self._response.labels(transport).observe(turn.latency.response_ms / 1000)
        for stage in _STAGES:
            took_ms = getattr(turn.latency, f"{stage}_ms")
            if took_ms is not None:
                self._stage.labels(stage).observe(took_ms / 1000)

    def _other(self, notice: Notice) -> None:
        match notice:
            case InterruptionJudged(committed, stop_ms):
                self._interruptions.labels("committed" if committed else "resumed").inc()
                if stop_ms is not None:
                    self._stop_latency.observe(stop_ms / 1000)
            case DraftJudged(used):
                self._drafts.labels("used" if used else "discarded").inc()
            case ProviderCalled(kind, provider, latency_ms, error):
                self._requests.labels(kind, provider).inc()
                if error is None:
                    self._provider.labels(kind, provider).observe(latency_ms / 1000)
                else:
                    self._failures.labels(kind, provider, error).inc()
            case ErrorOccurred(code):
                self._errors.labels(code).inc()
            case _:
                pass

    async def sample_lag(self) -> None:
        """One task for the whole process, until cancelled."""
        clock_s = asyncio.get_running_loop().time
        while True:
            before_s = clock_s()
            await asyncio.sleep(LAG_SAMPLE_EVERY_S)
            self._lag.observe(max(0.0, clock_s() - before_s - LAG_SAMPLE_EVERY_S))


class _Live:
    """What is counted elsewhere, read when somebody asks."""

    def __init__(
        self, frames: FrameCounts, calls: Callable[[], tuple[Call, ...]], breakers: Sequence[_OneBreaker]
    ) -> None:
        self._frames = frames
        self._calls = calls
        self._breakers = breakers

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        active = GaugeMetricFamily("session_active", "Sessions that are connected.", labels=["transport"])
        connected = Tally(call.transport for call in self._calls() if call.transport is not None)
        for transport in {"websocket", *connected}:
            active.add_metric([transport], connected[transport])
        yield active
        states = GaugeMetricFamily(
            "circuit_breaker_state", "0 closed, 1 half-open, 2 open.", labels=["kind", "provider"]
        )
        for kind, provider, breaker in self._breakers:
            states.add_metric([kind, provider], breaker.state)
        yield states
        counts = self._frames
        for name, text, by_direction in (
            ("audio_frames", "Frames of 20 ms.", {"in": counts.received, "out": counts.sent}),
            ("audio_late_frames", "Frames past their time.", {"out": counts.late_sent}),
            ("audio_dropped_frames", "Frames lost.", {"out": counts.dropped_sent}),
        ):
            family = CounterMetricFamily(name, text, labels=["direction"])
            for direction, count in by_direction.items():
                family.add_metric([direction], count)
            yield family
