"""Whether telemetry is sent, where to, and that who takes it badly is not waited for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest
from opentelemetry.metrics import get_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_tracer_provider

from app import telemetry
from app.calls import Call
from app.settings import WrongSettings
from app.telemetry import Telemetry, build
from session.notices import Ended, EndReason
from tests.otlp import Receiver, attributes_of, receiving


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    import os  # noqa: PLC0415 - the SDK reads the environment of the process

    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


async def built(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Telemetry:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return await asyncio.to_thread(build)  # a server builds it before its event loop runs


def use(observed: Telemetry) -> None:
    spans = observed.tracing.begin(Call("the-id", "token", {}, None, None, transport="websocket"))
    spans.note(Ended(EndReason.CLIENT))
    observed.metrics.refused("full")


async def sent(monkeypatch: pytest.MonkeyPatch, receiver: Receiver, **environment: str) -> Receiver:
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url} | environment
    observed = await built(monkeypatch, given)
    use(observed)
    await observed.aclose()
    return receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


async def test_what_was_not_sent_yet_is_sent_at_the_end(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    await sent(monkeypatch, receiver)

    assert ["session"] == [span.name for span in receiver.spans]
    assert 1 == receiver.metrics["sessions.refused.total"].sum.data_points[0].as_int
    assert {"beluga-voice"} == {attributes_of(resource)["service.name"] for resource in receiver.resources}
    assert all(attributes_of(resource)["service.version"] for resource in receiver.resources)


@pytest.mark.parametrize(
    "named", [{"OTEL_SERVICE_NAME": "hotline"}, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=hotline"}]
)
async def test_the_service_has_the_name_that_it_is_given(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, named: dict[str, str]
) -> None:
    await sent(monkeypatch, receiver, **named)

    assert {"hotline"} == {attributes_of(resource)["service.name"] for resource in receiver.resources}


@pytest.mark.parametrize(
    ("environment", "spans", "metrics"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, False, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, False, True),
        ({"OTEL_METRICS_EXPORTER": "none"}, True, False),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, False, True),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, False, True),
    ],
)
async def test_the_environment_decides_what_is_sent(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, environment: dict[str, str], *, spans: bool, metrics: bool
) -> None:
    await sent(monkeypatch, receiver, **environment)

    assert (spans, metrics) == (bool(receiver.spans), bool(receiver.metrics))


@pytest.mark.parametrize("signal", ["TRACES", "METRICS"])
async def test_one_signal_may_have_an_endpoint_of_its_own(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, signal: str
) -> None:
    path = f"/v1/{signal.lower()}"
    observed = await built(monkeypatch, {f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT": receiver.url + path})
    use(observed)
    await observed.aclose()

    assert (signal == "TRACES", signal == "METRICS") == (bool(receiver.spans), bool(receiver.metrics))


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"},
            "OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' given, a URL such as http://localhost:4318 allowed",
        ),
        (
            {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "nowhere"},
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'nowhere' given, a URL such as http://localhost:4318 allowed",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' given, http/protobuf allowed",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1", "OTEL_BSP_MAX_QUEUE_SIZE": "0"},
            "OTEL_*: max_queue_size must be a positive integer.",
        ),
    ],
)
async def test_what_cannot_be_sent_to_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], line: str
) -> None:
    with pytest.raises(WrongSettings) as error:
        await built(monkeypatch, environment)

    assert [line] == error.value.lines


async def test_prometheus_is_served_also_when_nothing_may_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    observed = await built(monkeypatch, {"OTEL_SDK_DISABLED": "true"})
    use(observed)

    assert 'sessions_refused_total{reason="full"} 1.0' in observed.metrics.render("")[0].decode()


async def test_two_servers_in_a_process_count_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = await built(monkeypatch, {}), await built(monkeypatch, {})
    use(one)

    assert "sessions_refused_total{" not in other.metrics.render("")[0].decode()
    assert not isinstance(get_meter_provider(), MeterProvider)
    assert not isinstance(get_tracer_provider(), TracerProvider)


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


async def test_a_receiver_that_is_gone_does_not_keep_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "FLUSH_WITHIN_S", 0.3)
    gone = {"OTEL_EXPORTER_OTLP_ENDPOINT": nobody(), "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    observed = await built(monkeypatch, gone)
    use(observed)
    async with asyncio.timeout(30):
        await observed.aclose()

    assert "sessions_refused_total" in observed.metrics.render("")[0].decode()


async def test_a_receiver_that_does_not_answer_does_not_keep_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "FLUSH_WITHIN_S", 0.3)
    with receiving(delay_s=60) as receiver:
        observed = await built(monkeypatch, {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
        use(observed)
        async with asyncio.timeout(30):
            await observed.aclose()

        assert receiver.requests
