"""What Prometheus reads, put together by hand from instruments of OpenTelemetry."""

from __future__ import annotations

import pytest
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource

from app.prometheus import Page, Shown

CALLS = Shown("calls_total", "counter", "Calls.", ("line",))
ROOM = Shown("room_free", "gauge", "Room.")
WAIT = Shown("wait_seconds", "histogram", "Waits.", (), (0.1, 1.0))


def page_of(*shown: Shown) -> tuple[Page, Meter]:
    page = Page()
    for each in shown:
        page.add(each)
    provider = MeterProvider([page.reader], resource=Resource.get_empty(), shutdown_on_exit=False)
    return page, provider.get_meter("test")


def text_of(page: Page, accept: str = "") -> str:
    return page.render(accept)[0].decode()


def test_an_instrument_has_dots_where_the_metric_has_underscores() -> None:
    assert "session.operation.latency.seconds" == Shown("session_operation_latency_seconds", "histogram", "").instrument


def test_a_counter_is_shown_with_its_labels() -> None:
    page, meter = page_of(CALLS)
    counter = meter.create_counter(CALLS.instrument)
    counter.add(2, {"line": "b"})
    counter.add(1, {"line": "a"})
    counter.add(1, {"line": "b"})

    assert [
        "# HELP calls_total Calls.",
        "# TYPE calls_total counter",
        'calls_total{line="b"} 3.0',
        'calls_total{line="a"} 1.0',
    ] == text_of(page).splitlines()


def test_a_gauge_is_read_when_somebody_asks() -> None:
    page, meter = page_of(ROOM)
    gauge = meter.create_gauge(ROOM.instrument)
    gauge.set(5)
    gauge.set(3)

    assert ["# HELP room_free Room.", "# TYPE room_free gauge", "room_free 3.0"] == text_of(page).splitlines()


def test_the_buckets_of_a_histogram_add_up() -> None:
    page, meter = page_of(WAIT)
    histogram = meter.create_histogram(WAIT.instrument, explicit_bucket_boundaries_advisory=WAIT.bounds)
    for waited_s in (0.05, 0.5, 0.1, 7.0):
        histogram.record(waited_s)

    assert [
        "# HELP wait_seconds Waits.",
        "# TYPE wait_seconds histogram",
        'wait_seconds_bucket{le="0.1"} 2.0',
        'wait_seconds_bucket{le="1.0"} 3.0',
        'wait_seconds_bucket{le="+Inf"} 4.0',
        "wait_seconds_count 4.0",
        "wait_seconds_sum 7.65",
    ] == text_of(page).splitlines()


def test_what_has_no_value_yet_is_there_by_name() -> None:
    page, _ = page_of(CALLS, ROOM, WAIT)
    lines = text_of(page).splitlines()

    assert ["# TYPE calls_total counter", "# TYPE room_free gauge", "# TYPE wait_seconds histogram"] == [
        line for line in lines if line.startswith("# TYPE")
    ]
    assert "wait_seconds_count 0.0" in lines
    assert [] == [line for line in lines if line.startswith("calls_total")]


@pytest.mark.parametrize("stranger", ["otel_scope", "target_info", "_created"])
def test_nothing_is_shown_that_is_not_in_the_list(stranger: str) -> None:
    page, meter = page_of(CALLS)
    meter.create_counter(CALLS.instrument).add(1, {"line": "a"})
    meter.create_counter("of.nobody").add(1)

    assert stranger not in text_of(page)
    assert "of_nobody" not in text_of(page)


def test_openmetrics_is_given_to_those_that_ask_for_it() -> None:
    page, meter = page_of(CALLS)
    meter.create_counter(CALLS.instrument).add(1, {"line": "a"})
    _, content_type = page.render("application/openmetrics-text; version=1.0.0")
    text = text_of(page, "application/openmetrics-text; version=1.0.0")

    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    assert "# TYPE calls counter" in text
