from __future__ import annotations

import asyncio
import re
from pathlib import Path

from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from app.calls import Call
from app.metrics import Metrics
from session import FrameCounts
from session.breaker import Breaker
from session.errors import ErrorCode
from session.notices import (
    DraftJudged,
    Ended,
    EndReason,
    ErrorOccurred,
    InterruptionJudged,
    Latency,
    Notice,
    ProviderCalled,
    Repaired,
    StateChanged,
    TurnDone,
    TurnOutcome,
)
from session.states import SessionState
from tests.caller import calling
from tests.server import running

REFERENCE = Path(__file__).parents[2] / "docs" / "protocol.md"

STARTED = StateChanged(SessionState.LISTENING, SessionState.INITIAL)


def connected() -> Call:
    return Call("the-id", "token", {}, None, None, transport="websocket")


def shown(metrics: Metrics) -> dict[str, float]:
    lines = metrics.render("text/plain")[0].decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def after(*notices: Notice) -> dict[str, float]:
    metrics = Metrics()
    observe = metrics.watch(connected())
    for notice in notices:
        observe(notice)
    return shown(metrics)


def test_a_session_is_counted_from_its_start_to_its_end() -> None:
    values = after(STARTED, Ended(EndReason.AGENT))

    assert 1 == values['session_started_total{transport="websocket"}']
    assert 1 == values['session_stopped_total{reason="agent",transport="websocket"}']
    assert 1 == values['session_duration_seconds_count{transport="websocket"}']


def test_what_never_started_never_stopped() -> None:
    assert "session_stopped" not in "".join(after(Ended(EndReason.ERROR)))


def test_a_turn_is_measured_by_its_stages() -> None:
    latency = Latency(endpoint_ms=200, stt_ms=100, agent_ms=None, tts_ms=50, response_ms=450)
    values = after(TurnDone("1", TurnOutcome.ANSWERED, latency), TurnDone("2", TurnOutcome.EMPTY))

    assert 1 == values['turns_total{outcome="answered"}'] == values['turns_total{outcome="empty"}']
    assert 0.45 == values['turn_response_latency_seconds_sum{transport="websocket"}']
    assert 0 == values['turn_response_latency_seconds_bucket{le="0.4",transport="websocket"}']
    assert 0.2 == values['turn_stage_latency_seconds_sum{stage="endpoint"}']
    assert 'turn_stage_latency_seconds_sum{stage="agent"}' not in values


def test_interruptions_providers_and_errors_are_counted() -> None:
    values = after(
        InterruptionJudged(committed=True, stop_ms=250),
        InterruptionJudged(committed=False, stop_ms=None),
        DraftJudged(used=True),
        DraftJudged(used=False),
        ProviderCalled("stt", "fixed", 20),
        ProviderCalled("tts", "tone", 30, error="timed_out"),
        ErrorOccurred(ErrorCode.TTS_ERROR, "no", retryable=True, fatal=False),
    )

    assert 1 == values['preemptive_total{outcome="used"}'] == values['preemptive_total{outcome="discarded"}']
    assert 1 == values['interruptions_total{outcome="committed"}'] == values['interruptions_total{outcome="resumed"}']
    assert (1, 0.25) == (
        values["interruption_stop_latency_seconds_count"],
        values["interruption_stop_latency_seconds_sum"],
    )
    assert 0.02 == values['provider_latency_seconds_sum{kind="stt",provider="fixed"}']
    assert 1 == values['provider_requests_total{kind="tts",provider="tone"}']
    assert 1 == values['provider_errors_total{code="timed_out",kind="tts",provider="tone"}']
    assert 1 == values['session_errors_total{code="tts_error"}']


def test_frames_and_active_sessions_are_read_when_asked() -> None:
    metrics = Metrics()
    waiting = Call("another", "token", {}, None, None)
    metrics.read(FrameCounts(received=5, sent=4, late_sent=3, dropped_sent=2), lambda: (connected(), waiting))
    values = shown(metrics)

    assert 1 == values['session_active{transport="websocket"}']
    assert (5, 4) == (values['audio_frames_total{direction="in"}'], values['audio_frames_total{direction="out"}'])
    assert 3 == values['audio_late_frames_total{direction="out"}']
    assert 2 == values['audio_dropped_frames_total{direction="out"}']


def test_breakers_are_read_when_asked() -> None:
    well, broken = Breaker(), Breaker()
    for _ in range(5):
        broken.failed(0)
    metrics = Metrics()
    metrics.read(FrameCounts(), tuple, [("stt", "fixed", well), ("tts", "tone", broken)])
    values = shown(metrics)

    assert 0 == values['circuit_breaker_state{kind="stt",provider="fixed"}']
    assert 2 == values['circuit_breaker_state{kind="tts",provider="tone"}']


def test_what_does_not_exist_yet_is_absent() -> None:
    text = Metrics().render("")[0].decode()

    assert "_created" not in text


def test_operations_and_refusals_are_counted() -> None:
    metrics = Metrics()
    metrics.refused("full")
    with metrics.operation("say"):
        pass
    values = shown(metrics)

    assert 1 == values['sessions_refused_total{reason="full"}']
    assert 1 == values['session_operation_latency_seconds_count{operation="say"}']


async def test_the_lag_of_the_loop_is_sampled() -> None:
    metrics = Metrics()
    sampling = asyncio.create_task(metrics.sample_lag())
    await asyncio.sleep(0.3)
    sampling.cancel()

    assert 1 == shown(metrics)["event_loop_lag_seconds_count"]


async def test_no_label_holds_anything_of_a_caller() -> None:
    async with running() as server, calling(server.ws_url) as caller:
        ready = await caller.start(metadata={"phone": "+15550100"})
        await caller.converse("my name is Joe")
        await caller.send("stop")
        await caller.until_closed()
        text = server.edge.metrics.render("")[0].decode()

        assert 'session_started_total{transport="websocket"} 1.0' in text
        assert 'session_operation_latency_seconds_count{operation="start"} 1.0' in text
        assert 'turns_total{outcome="answered"} 1.0' in text
        assert 'provider_requests_total{kind="agent",provider="echo"}' in text
        assert 'session_active{transport="websocket"} 0.0' in text
        for private in (ready["session_id"], "+15550100", "Joe"):
            assert private not in text


async def test_the_instruments_behind_them_are_named_with_dots() -> None:
    reader = InMemoryMetricReader()
    metrics = Metrics([reader])
    metrics.read(FrameCounts(), lambda: (connected(),), [("stt", "fixed", Breaker())])
    observe = metrics.watch(connected())
    for notice in (
        STARTED,
        TurnDone("1", TurnOutcome.ANSWERED, Latency(200, 100, 80, 60, 450)),
        InterruptionJudged(committed=True, stop_ms=250),
        DraftJudged(used=True),
        ProviderCalled("stt", "fixed", 20),
        ProviderCalled("tts", "tone", 30, error="timed_out"),
        Repaired("agent"),
        ErrorOccurred(ErrorCode.TTS_ERROR, "no", retryable=True, fatal=False),
        Ended(EndReason.AGENT),
    ):
        observe(notice)
    metrics.refused("full")
    with metrics.operation("say"):
        sampling = asyncio.create_task(metrics.sample_lag())
        await asyncio.sleep(0.3)
        sampling.cancel()
    data = reader.get_metrics_data()
    assert data is not None
    instruments = {
        metric.name for each in data.resource_metrics for scope in each.scope_metrics for metric in scope.metrics
    }
    shown = set(re.findall(r"^# TYPE (\w+) (\w+)$", metrics.render("")[0].decode(), re.MULTILINE))
    table = REFERENCE.read_text("utf-8").split("## Metrics", 1)[1].split("\n## ", 1)[0]
    documented = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \| (\w+) \|", table, re.MULTILINE)

    assert instruments == {instrument for _, instrument, _ in documented}
    assert all(name.replace("_", ".") == instrument for name, instrument, _ in documented)
    assert shown == {(name, kind) for name, _, kind in documented}
