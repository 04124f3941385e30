"""A server as a process, a real OTLP receiver and a real webhook: what leaves the server of a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest

from tests.caller import Caller, calling, silence, voice
from tests.e2e.line import on_the_line
from tests.otlp import Receiver, attributes_of, receiving
from tests.providers.agent.http_server import Exchange, Server, serving
from tests.server import QUICK, ServerHandle
from tests.server import serving as a_process

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

OFTEN = {"OTEL_METRIC_EXPORT_INTERVAL": "300", "OTEL_BSP_SCHEDULE_DELAY": "300", "BELUGA_LOG__FORMAT": "json"}


async def answer(exchange: Exchange) -> None:
    if exchange.received.json()["type"] == "turn":
        await exchange.whole(200, "application/json", json.dumps({"text": "It is noon."}))
    else:
        await exchange.whole(204, "", "")


@dataclass(frozen=True, slots=True)
class Scene:
    webhook: Server
    server: ServerHandle

    async def stop(self) -> int:
        return await asyncio.to_thread(self.server.stop)

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.server.log().splitlines()]


@asynccontextmanager
async def scene(receiver_url: str, **environment: str) -> AsyncIterator[Scene]:
    """A server with a webhook for an agent; it is to send its telemetry to ``receiver_url``."""
    async with serving(answer) as webhook:
        agent = {"BELUGA_AGENT__PROVIDER": "webhook", "BELUGA_AGENT__URL": webhook.url}
        env = QUICK | OFTEN | agent | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver_url} | environment
        process = a_process(env)
        server = await asyncio.to_thread(process.__enter__)
        try:
            yield Scene(webhook, server)
        finally:
            await asyncio.to_thread(process.__exit__, None, None, None)


async def one_turn(caller: Caller) -> None:
    await caller.start()
    done = await caller.converse("what time is it")
    assert "It is noon." == done["heard_text"]
    await caller.send("stop")
    await caller.until_closed()


async def test_a_call_is_one_trace_from_its_caller_to_the_webhook_and_is_counted() -> None:
    said = {"BELUGA_STT__OPTIONS": json.dumps({"text": "what time is it"})}
    with receiving() as receiver:
        async with scene(receiver.url, **said) as stage:
            async with httpx2.AsyncClient(base_url=stage.server.base_url) as client:
                made = (await client.post("/v1/sessions", json={}, headers={"traceparent": CALLER})).json()
            async with on_the_line(f"{stage.server.ws_url}?token={made['token']}") as line:
                await line.say(silence(300) + voice(600))
                done = await line.until_message("reply", event="done")
                await line.send("stop")
                await line.until_message("ended")
            assert 0 == await stage.stop()
            asked = {
                received.json()["type"]: received.headers["traceparent"].split("-")
                for received in stage.webhook.received
            }
            lines = {line["event"]: line for line in stage.log() if "session_id" in line}

    (session,) = receiver.named("session")
    turn = next(span for span in receiver.named("turn") if "outcome" in attributes_of(span))
    stages = {span.name: span for span in receiver.spans if span.parent_span_id == turn.span_id}
    trace_id = CALLER.split("-")[1]

    assert (trace_id, CALLER.split("-")[2]) == (session.trace_id.hex(), session.parent_span_id.hex())
    assert session.span_id == turn.parent_span_id
    assert {"endpoint", "stt", "turn_detection", "agent", "tts"} == stages.keys()
    assert [(made["id"], done["turn_id"])] * 5 == [
        (attributes_of(span)["session_id"], attributes_of(span)["turn_id"]) for span in stages.values()
    ]
    assert done["latency"]["response_ms"] == attributes_of(turn)["response_ms"]
    assert all(turn.start_time_unix_nano <= span.start_time_unix_nano for span in stages.values())
    assert {trace_id} == {span.trace_id.hex() for span in receiver.spans}
    assert ["fixed", "transcript", "webhook", "tone"] == [
        attributes_of(stages[name])["provider"] for name in ("stt", "turn_detection", "agent", "tts")
    ]
    assert [trace_id, stages["agent"].span_id.hex()] == asked["turn"][1:3]
    assert {"session.started", "turn", "session.ended"} == asked.keys()
    assert {trace_id} == {parts[1] for parts in asked.values()}
    assert [(trace_id, session.span_id.hex())] * 3 == [
        (lines[event]["trace_id"], lines[event]["span_id"]) for event in ("session started", "turn", "session ended")
    ]
    check_metrics(receiver)
    assert "what time is it" not in str(receiver.spans)
    assert "noon" not in str(receiver.spans)


def check_metrics(receiver: Receiver) -> None:
    metrics = receiver.metrics
    (started,) = metrics["session.started.total"].sum.data_points
    (duration,) = metrics["session.duration.seconds"].histogram.data_points
    turns = {point.attributes[0].value.string_value: point.as_int for point in metrics["turns.total"].sum.data_points}

    assert (1, "websocket") == (started.as_int, started.attributes[0].value.string_value)
    assert (1, "s") == (duration.count, metrics["session.duration.seconds"].unit)
    assert {"answered": 1} == turns
    assert 0 == metrics["session.active"].gauge.data_points[0].as_int
    assert metrics["audio.frames.total"].sum.is_monotonic
    assert {"event.loop.lag.seconds", "circuit.breaker.state", "provider.latency.seconds"} <= metrics.keys()


@pytest.mark.parametrize("fault", ["gone", "slow", "failing"])
async def test_a_receiver_that_takes_nothing_disturbs_neither_calls_nor_the_end(fault: str) -> None:
    with receiving(status=503 if fault == "failing" else 200, delay_s=60 if fault == "slow" else 0) as receiver:
        url = "http://127.0.0.1:9" if fault == "gone" else receiver.url
        async with scene(url) as stage:
            for _ in range(2):
                async with calling(stage.server.ws_url) as caller:
                    await one_turn(caller)
            code = await stage.stop()
            log = stage.log()

    assert 0 == code
    assert fault == "gone" or receiver.requests
    assert 1 >= len([line for line in log if str(line.get("logger", "")).startswith("opentelemetry")])
    assert [] == [line for line in log if "exception" in line]


async def test_where_telemetry_cannot_be_sent_the_start_stops_with_a_line() -> None:
    with pytest.raises(AssertionError, match="OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' given, a URL such as"):
        async with scene("collector:4317"):
            pass
