"""The instruments as Prometheus shows them: the metrics of the wire contract, by name, type and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    MetricReader,
    NumberDataPoint,
)
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

__all__ = ("Page", "Shown")


@dataclass(frozen=True, slots=True)
class Shown:
    """A metric: ``session_started_total`` is what the instrument ``session.started.total`` measures."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def instrument(self) -> str:
        return self.name.replace("_", ".")


Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class Page:
    """``GET /metrics``. What has no value yet is on it by name."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self._shown: list[Shown] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)

    @property
    def reader(self) -> MetricReader:
        """To be given to the provider of the meters, before the page is rendered."""
        return self._reader

    def add(self, shown: Shown) -> None:
        self._shown.append(shown)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics for those that ask for it."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Family]:
        """For the registry."""
        if not self._shown:
            return
        metrics = {metric.name: metric for metric in self._metrics()}
        for shown in self._shown:
            yield _family(shown, metrics.get(shown.instrument))

    def _metrics(self) -> Iterator[Metric]:
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                yield from scope.metrics


def _family(shown: Shown, metric: Metric | None) -> Family:
    points = () if metric is None else metric.data.data_points
    match shown.kind:
        case "histogram":
            return _histogram(shown, [point for point in points if isinstance(point, HistogramDataPoint)])
        case "counter":
            counter = CounterMetricFamily(shown.name.removesuffix("_total"), shown.text, labels=shown.labels)
            _fill(counter, shown, points)
            return counter
        case "gauge":
            gauge = GaugeMetricFamily(shown.name, shown.text, labels=shown.labels)
            _fill(gauge, shown, points)
            return gauge


def _fill(family: CounterMetricFamily | GaugeMetricFamily, shown: Shown, points: Iterable[object]) -> None:
    for point in points:
        if isinstance(point, NumberDataPoint):
            family.add_metric(_values(shown, point), point.value)


def _histogram(shown: Shown, points: list[HistogramDataPoint]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(shown.name, shown.text, labels=shown.labels)
    limits = [*map(floatToGoString, shown.bounds), "+Inf"]
    for point in points:
        counts = accumulate(point.bucket_counts)
        family.add_metric(_values(shown, point), list(zip(limits, counts, strict=True)), point.sum)
    if not points and not shown.labels:
        family.add_metric([], [(limit, 0) for limit in limits], 0)
    return family


def _values(shown: Shown, point: NumberDataPoint | HistogramDataPoint) -> list[str]:
    attributes = point.attributes or {}
    return [str(attributes[label]) for label in shown.labels]
