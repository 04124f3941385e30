"""What operators measure, fed by the notices of the sessions. No label holds anything of a caller.

The instruments are OpenTelemetry's: one reader shows them to Prometheus, others may send them on.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource

from app.prometheus import Page, Shown
from session import FrameCounts
from session.breaker import Breaker
from session.notices import (
    DraftJudged,
    Ended,
    ErrorOccurred,
    InterruptionJudged,
    Notice,
    ProviderCalled,
    Repaired,
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

_IN, _OUT = {"direction": "in"}, {"direction": "out"}

_OneBreaker = tuple[str, str, Breaker]


class Metrics:
    """Of one server: nothing is registered globally."""

    def __init__(self, readers: Sequence[MetricReader] = (), resource: Resource | None = None) -> None:
        """``readers`` send the same instruments on, as those of ``resource``."""
        self._page = Page()
        self._provider = MeterProvider(
            [self._page.reader, *readers],
            resource=resource or Resource.get_empty(),  # the SDK would look for one with threads
            exemplar_filter=AlwaysOffExemplarFilter(),  # it would look at every measurement
            shutdown_on_exit=False,
        )
        # OTEL_SDK_DISABLED stops what is sent, of which there is none then; Prometheus is served all the same.
        self._provider._disabled = False  # noqa: SLF001 - there is no other way to say so
        self._loop: asyncio.AbstractEventLoop | None = None
        self._meter = self._provider.get_meter("beluga-voice")
        counter, histogram = self._counter, self._histogram
        self._started = counter("session_started_total", "Sessions that started.", "transport")
        self._stopped = counter("session_stopped_total", "Sessions that ended.", "transport", "reason")
        self._errors = counter("session_errors_total", "Errors in sessions.", "code")
        self._refused = counter("sessions_refused_total", "Sessions that were not admitted.", "reason")
        self._turns = counter("turns_total", "Turns of users that are over.", "outcome")
        self._interruptions = counter("interruptions_total", "Possible interruptions that were judged.", "outcome")
        self._drafts = counter("preemptive_total", "Answers that were asked for before the turn was over.", "outcome")
        self._requests = counter("provider_requests_total", "Requests to providers.", "kind", "provider")
        self._failures = counter("provider_errors_total", "Failed requests to providers.", "kind", "provider", "code")
        self._repairs = counter("repairs_total", "What did not come or end by itself within its limit.", "what")
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
        self._answered = histogram("provider_latency_seconds", "Request to first result.", _STAGE_S, "kind", "provider")
        self._lag = histogram("event_loop_lag_seconds", "How late the event loop runs a timer.", _LAG_S)

    def read(
        self, frames: FrameCounts, calls: Callable[[], tuple[Call, ...]], breakers: Sequence[_OneBreaker] = ()
    ) -> None:
        """Show what is counted elsewhere: the frames of all sessions, the calls that exist, and each breaker with the
        kind and the name of its provider."""

        def active() -> Iterator[Observation]:
            connected = Tally(call.transport for call in calls() if call.transport is not None)
            for transport in {"webrtc", "websocket", *connected}:
                yield Observation(connected[transport], {"transport": transport})

        def states() -> Iterator[Observation]:
            for kind, provider, breaker in breakers:
                yield Observation(breaker.state, {"kind": kind, "provider": provider})

        def passed() -> Iterator[Observation]:
            yield Observation(frames.received, _IN)
            yield Observation(frames.sent, _OUT)

        def late() -> Iterator[Observation]:
            yield Observation(frames.late_sent, _OUT)

        def dropped() -> Iterator[Observation]:
            yield Observation(frames.dropped_received, _IN)
            yield Observation(frames.dropped_sent, _OUT)

        def tasks() -> Iterator[Observation]:
            # A reader may ask from a thread of its own.
            yield Observation(0 if self._loop is None else len(asyncio.all_tasks(self._loop)))

        self._live("event_loop_tasks", "gauge", "Tasks of the event loop.", tasks)
        self._live("session_active", "gauge", "Sessions that are connected.", active, "transport")
        self._live("circuit_breaker_state", "gauge", "0 closed, 1 half-open, 2 open.", states, "kind", "provider")
        self._live("audio_frames_total", "counter", "Frames of 20 ms.", passed, "direction")
        self._live("audio_late_frames_total", "counter", "Frames past their time.", late, "direction")
        self._live("audio_dropped_frames_total", "counter", "Frames lost.", dropped, "direction")

    def render(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics for those that ask for it."""
        return self._page.render(accept)

    def shutdown(self, limit_s: float) -> None:
        """Send what was not sent yet. Blocks, for as long as the ``readers`` need.

        :raises Exception: what they raise.
        """
        self._provider.shutdown(limit_s * 1000)

    def refused(self, reason: str) -> None:
        self._refused.add(1, {"reason": reason})

    @contextmanager
    def operation(self, name: str) -> Iterator[None]:
        began_s = time.perf_counter()
        try:
            yield
        finally:
            self._operation.record(time.perf_counter() - began_s, {"operation": name})

    def watch(self, call: Call) -> Callable[[Notice], None]:
        """A listener for one call that has just connected."""
        transport = call.transport or "none"
        started_s: float | None = None

        def observe(notice: Notice) -> None:
            nonlocal started_s
            match notice:
                case StateChanged(previous=SessionState.INITIAL):
                    started_s = time.monotonic()
                    self._started.add(1, {"transport": transport})
                case Ended(reason) if started_s is not None:
                    self._stopped.add(1, {"transport": transport, "reason": reason})
                    self._duration.record(time.monotonic() - started_s, {"transport": transport})
                case TurnDone():
                    self._turn(notice, transport)
                case _:
                    self._other(notice)

        return observe

    def _turn(self, turn: TurnDone, transport: str) -> None:
        self._turns.add(1, {"outcome": turn.outcome})
        if turn.latency.response_ms is not None:
            self._response.record(turn.latency.response_ms / 1000, {"transport": transport})
        for stage in _STAGES:
            took_ms = getattr(turn.latency, f"{stage}_ms")
            if took_ms is not None:
                self._stage.record(took_ms / 1000, {"stage": stage})

    def _other(self, notice: Notice) -> None:
        match notice:
            case InterruptionJudged(committed, stop_ms):
                self._interruptions.add(1, {"outcome": "committed" if committed else "resumed"})
                if stop_ms is not None:
                    self._stop_latency.record(stop_ms / 1000)
            case DraftJudged(used):
                self._drafts.add(1, {"outcome": "used" if used else "discarded"})
            case ProviderCalled(kind, provider, latency_ms, error):
                self._requests.add(1, {"kind": kind, "provider": provider})
                if error is None:
                    self._answered.record(latency_ms / 1000, {"kind": kind, "provider": provider})
                else:
                    self._failures.add(1, {"kind": kind, "provider": provider, "code": error})
            case Repaired(what):
                self._repairs.add(1, {"what": what})
            case ErrorOccurred(code):
                self._errors.add(1, {"code": code})
            case _:
                pass

    async def sample_lag(self) -> None:
        """One task for the whole process, until cancelled."""
        self._loop = asyncio.get_running_loop()
        clock_s = self._loop.time
        while True:
            before_s = clock_s()
            await asyncio.sleep(LAG_SAMPLE_EVERY_S)
            self._lag.record(max(0.0, clock_s() - before_s - LAG_SAMPLE_EVERY_S))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        shown = self._show(Shown(name, "counter", text, labels))
        return self._meter.create_counter(shown.instrument, description=text)

    def _histogram(self, name: str, text: str, bounds: tuple[float, ...], *labels: str) -> Histogram:
        shown = self._show(Shown(name, "histogram", text, labels, bounds))
        return self._meter.create_histogram(shown.instrument, "s", text, explicit_bucket_boundaries_advisory=bounds)

    def _live(
        self,
        name: str,
        kind: Literal["counter", "gauge"],
        text: str,
        observe: Callable[[], Iterable[Observation]],
        *labels: str,
    ) -> None:
        """Read when somebody asks."""
        shown = self._show(Shown(name, kind, text, labels))
        make = {"counter": self._meter.create_observable_counter, "gauge": self._meter.create_observable_gauge}[kind]

        def callback(_options: CallbackOptions) -> Iterable[Observation]:
            return observe()

        make(shown.instrument, [callback], description=text)

    def _show(self, shown: Shown) -> Shown:
        self._page.add(shown)
        return shown
