"""The spans of a call, kept in memory by OpenTelemetry's own exporter for tests."""

from __future__ import annotations

import asyncio
import re

import httpx2
import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler
from opentelemetry.trace import SpanKind, StatusCode

from app.calls import Call
from app.spans import CallSpans, Tracing, ids, incoming, within
from providers.http_stream import TRACEPARENT
from session.errors import ErrorCode
from session.notices import (
    Ended,
    EndReason,
    ErrorOccurred,
    Latency,
    Notice,
    ReplyDone,
    ReplyStarted,
    StateChanged,
    TranscriptChanged,
    TurnDone,
    TurnOutcome,
)
from session.states import SessionState
from tests.caller import calling
from tests.providers.agent.http_server import Exchange, serving
from tests.server import running

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STARTED = StateChanged(SessionState.LISTENING, SessionState.INITIAL)


class Traced:
    """One call and its spans, as they end."""

    def __init__(self, headers: dict[str, str] | None = None, sampler: Sampler | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler, Resource.get_empty(), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.call = Call("the-id", "token", {}, None, None, transport="websocket")
        self.call.context = incoming(headers or {})
        self.spans: CallSpans = Tracing(provider).begin(self.call)

    @property
    def ended(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def one(self, name: str, **attributes: object) -> ReadableSpan:
        (found,) = (
            span
            for span in self.ended
            if span.name == name and attributes.items() <= dict(span.attributes or {}).items()
        )
        return found

    def tell(self, *notices: Notice) -> None:
        for notice in notices:
            self.spans.note(notice)

    def stages(self, turn_id: str, *kinds: str) -> None:
        for kind in kinds:
            with self.spans.stage(kind, "fake", turn_id) as stage:  # type: ignore[arg-type] # of the test's own choice
                stage.asks("fake")
                stage.first_result(20)
                stage.over(None)


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def id_of(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context is not None
    return f"{context.span_id:016x}"


def attributes_of(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def a_turn(traced: Traced, turn_id: str = "2", latency: Latency | None = None) -> None:
    traced.stages(turn_id, "stt", "turn")
    traced.tell(TranscriptChanged(turn_id, "my secret wish", final=True))
    traced.stages(turn_id, "agent", "tts")
    traced.tell(
        ReplyStarted(turn_id),
        ReplyDone(turn_id, "a secret answer", "a secret answer", interrupted=False, latency=Latency()),
        TurnDone(turn_id, TurnOutcome.ANSWERED, latency or Latency(200, 100, 80, 60, 450)),
    )


def test_a_session_has_turns_and_a_turn_has_stages() -> None:
    traced = Traced()
    a_turn(traced)
    traced.tell(Ended(EndReason.CLIENT))
    session, turn = traced.one("session"), traced.one("turn")
    stages = [traced.one(name) for name in ("endpoint", "stt", "turn_detection", "agent", "tts")]

    assert parent_of(session) is None
    assert id_of(session) == parent_of(turn)
    assert {id_of(turn)} == {parent_of(stage) for stage in stages}
    assert 7 == len(traced.ended)
    assert {"fake"} == {attributes_of(stage)["provider"] for stage in stages[1:]}
    assert {("the-id", "2")} == {(attributes_of(each)["session_id"], attributes_of(each)["turn_id"]) for each in stages}
    assert all("state" in attributes_of(span) for span in [turn, *stages[1:]])
    assert {"transport": "websocket", "reason": "client", "turns": 0}.items() <= attributes_of(session).items()


def test_no_span_holds_what_was_said() -> None:
    traced = Traced()
    a_turn(traced)
    traced.tell(ErrorOccurred(ErrorCode.AGENT_ERROR, "the agent cannot say: a secret", retryable=True, fatal=False))
    traced.tell(Ended(EndReason.CLIENT))

    assert "secret" not in "".join(span.to_json() for span in traced.ended)


def test_a_turn_knows_where_its_time_went() -> None:
    traced = Traced()
    a_turn(traced, latency=Latency(200, 100, 80, 60, 450))
    turn, endpoint = traced.one("turn"), traced.one("endpoint")
    (first_audio,) = turn.events

    assert {
        "outcome": "answered",
        "interrupted": False,
        "endpoint_ms": 200,
        "stt_ms": 100,
        "agent_ms": 80,
        "tts_ms": 60,
        "response_ms": 450,
    }.items() <= attributes_of(turn).items()
    assert endpoint.start_time is not None
    assert endpoint.end_time == endpoint.start_time + 200_000_000
    assert ("first_audio", endpoint.start_time + 450_000_000) == (first_audio.name, first_audio.timestamp)


def test_a_stage_knows_how_long_its_first_result_took() -> None:
    traced = Traced()
    traced.stages("1", "agent")

    assert 20 == attributes_of(traced.one("agent"))["latency_ms"]
    assert SpanKind.CLIENT is traced.one("agent").kind


def test_a_stage_that_failed_is_an_error() -> None:
    traced = Traced()
    with traced.spans.stage("tts", "fake", "1") as stage:
        stage.over("unreachable")
    span = traced.one("tts")

    assert (StatusCode.ERROR, "unreachable") == (span.status.status_code, attributes_of(span)["error"])


def test_a_stage_that_another_provider_took_over_is_none() -> None:
    traced = Traced()
    with traced.spans.stage("tts", "broken", "1") as stage:
        stage.over("unreachable")
        stage.asks("well")
        stage.over(None)
    span = traced.one("tts")

    assert StatusCode.UNSET is span.status.status_code
    assert "well" == attributes_of(span)["provider"]
    assert [{"error": "unreachable"}] == [dict(event.attributes or {}) for event in span.events]


def test_a_stage_that_raised_or_was_cancelled_is_ended() -> None:
    traced = Traced()
    with pytest.raises(asyncio.CancelledError), traced.spans.stage("agent", "fake", "1"):
        raise asyncio.CancelledError
    with pytest.raises(ZeroDivisionError), traced.spans.stage("tts", "fake", "1"):
        raise ZeroDivisionError

    assert attributes_of(traced.one("agent"))["cancelled"]
    assert "cancelled" not in attributes_of(traced.one("tts"))


def test_a_turn_that_failed_is_an_error() -> None:
    traced = Traced()
    traced.stages("1", "agent")
    traced.tell(TurnDone("1", TurnOutcome.FAILED))

    assert StatusCode.ERROR is traced.one("turn").status.status_code


def test_a_reply_that_nobody_asked_for_is_a_turn_that_ends_with_it() -> None:
    traced = Traced()
    traced.stages("1", "tts")
    traced.tell(ReplyStarted("1"), ReplyDone("1", "hi", "hi", interrupted=False, latency=Latency()), STARTED)

    assert attributes_of(traced.one("turn")).items() >= {"turn_id": "1", "interrupted": False}.items()


def test_a_turn_of_which_nothing_more_is_told_ends_with_the_next() -> None:
    traced = Traced()
    traced.stages("1", "agent")
    assert [] == [span for span in traced.ended if span.name == "turn"]
    traced.stages("2", "agent")

    assert "1" == attributes_of(traced.one("turn"))["turn_id"]


def test_a_turn_whose_reply_is_heard_goes_on_beside_the_next() -> None:
    traced = Traced()
    traced.stages("1", "agent", "tts")
    traced.tell(ReplyStarted("1"))
    traced.stages("2", "stt")
    traced.tell(TurnDone("1", TurnOutcome.INTERRUPTED))

    assert "interrupted" == attributes_of(traced.one("turn"))["outcome"]


def test_what_the_agent_is_told_after_a_turn_belongs_to_it() -> None:
    traced = Traced()
    a_turn(traced)
    traced.stages("2", "notify")

    assert id_of(traced.one("turn")) == parent_of(traced.one("notify"))


def test_what_belongs_to_no_turn_belongs_to_the_session_also_when_it_is_over() -> None:
    traced = Traced()
    traced.tell(Ended(EndReason.CLIENT))
    traced.stages("", "notify")
    traced.stages("9", "tts")
    session = id_of(traced.one("session"))

    assert session == parent_of(traced.one("notify")) == parent_of(traced.one("tts"))
    assert [] == [span for span in traced.ended if span.name == "turn"]


def test_turns_that_are_open_end_with_the_session() -> None:
    traced = Traced()
    with traced.spans.stage("stt", "fake", "1"):
        traced.tell(Ended(EndReason.TIMEOUT))

    assert ["turn", "session", "stt"] == [span.name for span in traced.ended]


def test_a_fatal_error_is_the_sessions() -> None:
    traced = Traced()
    traced.tell(ErrorOccurred(ErrorCode.TRANSPORT_ERROR, "gone", retryable=False, fatal=True), Ended(EndReason.ERROR))
    session = traced.one("session")

    assert StatusCode.ERROR is session.status.status_code
    assert [{"code": "transport_error"}] == [dict(event.attributes or {}) for event in session.events]


def test_only_so_many_turns_that_are_over_are_kept() -> None:
    traced = Traced()
    for number in range(100):
        a_turn(traced, str(number))

    assert 8 == len(traced.spans._over)


# --- where a trace comes from and goes to -------------------------------------------------------------------------


def test_the_session_belongs_to_the_trace_of_who_made_it() -> None:
    traced = Traced({"traceparent": CALLER})
    traced.tell(Ended(EndReason.CLIENT))
    session = traced.one("session")

    assert CALLER.split("-")[1:3] == [ids(traced.call.context)["trace_id"], parent_of(session)]


@pytest.mark.parametrize(
    "given", ["", "00-1-2-3", "nonsense", CALLER.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32)]
)
def test_a_bad_traceparent_is_none(given: str) -> None:
    assert {} == ids(incoming({"traceparent": given}))


def test_a_stage_tells_the_webhook_its_traceparent_while_it_runs() -> None:
    traced = Traced()
    with traced.spans.stage("agent", "fake", "1"):
        told = TRACEPARENT.get()
    trace_id = ids(traced.call.context)["trace_id"]

    assert f"00-{trace_id}-{id_of(traced.one('agent'))}" == (told or "").rpartition("-")[0]
    assert TRACEPARENT.get() is None


@pytest.mark.parametrize("headers", [{}, {"traceparent": CALLER}])
def test_the_webhook_has_a_traceparent_also_when_nothing_is_sampled(headers: dict[str, str]) -> None:
    traced = Traced(headers, ALWAYS_OFF)
    with traced.spans.stage("agent", "fake", "1"):
        told = TRACEPARENT.get()
    traced.tell(TurnDone("1", TurnOutcome.ANSWERED), Ended(EndReason.CLIENT))

    assert re.fullmatch(rf"00-{ids(traced.call.context)['trace_id']}-\w{{16}}-0[02]", told or "")
    assert [] == traced.ended


@pytest.mark.parametrize(("headers", "expected"), [({}, None), ({"traceparent": CALLER}, CALLER)])
def test_a_disabled_sdk_passes_on_what_came_and_makes_nothing(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], expected: str | None
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    traced = Traced(headers)
    with traced.spans.stage("agent", "fake", "1") as stage:
        stage.over("unreachable")
        told = TRACEPARENT.get()
    traced.tell(Ended(EndReason.CLIENT))

    assert expected == told
    assert [] == traced.ended


def test_the_present_span_is_that_of_the_stage() -> None:
    traced = Traced()
    with within(traced.call.context):
        assert ids(traced.call.context) == ids()
        with traced.spans.stage("agent", "fake", "1"):
            inside = ids()

    assert inside["span_id"] == id_of(traced.one("agent"))
    assert {} == ids()


# --- a server -----------------------------------------------------------------------------------------------------


async def noon(exchange: Exchange) -> None:
    await exchange.whole(200, "application/json", '{"text": "It is noon."}')


@pytest.mark.parametrize("way", ["over HTTP", "by the socket", "on its own"])
async def test_the_webhook_is_told_the_trace_of_who_made_the_session(way: str) -> None:
    """Also when nothing is sent anywhere."""
    made_by = {"traceparent": CALLER}
    async with serving(noon) as webhook, running(agent={"provider": "webhook", "url": webhook.url}) as server:
        url, headers = server.ws_url, made_by if way == "by the socket" else {}
        if way == "over HTTP":
            async with httpx2.AsyncClient(base_url=server.base_url) as client:
                made = await client.post("/v1/sessions", json={}, headers=made_by)
            url += f"?token={made.json()['token']}"
        async with calling(url, additional_headers=headers) as caller:
            await caller.start()
            await caller.converse()
    traces = {received.headers["traceparent"].split("-")[1] for received in webhook.received}

    assert 1 == len(traces)
    assert (way != "on its own") == (CALLER.split("-")[1] in traces)
