"""What is measured and traced in one server, and where it is sent: to the OTLP receiver that the environment names.

The variables are OpenTelemetry's own, and most of them are read by its SDK: what is here decides whether anything is
sent at all, and that a receiver which is slow, or gone, holds nobody up.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from threading import Thread
from urllib.parse import urlsplit

import structlog
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from app.metrics import Metrics
from app.settings import WrongSettings
from app.spans import Tracing

__all__ = ("FLUSH_WITHIN_S", "Telemetry", "build")

FLUSH_WITHIN_S = 3.0
"""How long the end of the server may take to send what was not sent yet; the rest is lost."""

_PROTOCOL = "http/protobuf"

logger = structlog.get_logger("beluga.telemetry")


@dataclass(frozen=True, slots=True)
class Telemetry:
    metrics: Metrics
    tracing: Tracing

    async def aclose(self) -> None:
        """Send what was not sent yet, within the limit."""
        works = (lambda: self.metrics.shutdown(FLUSH_WITHIN_S), self.tracing.shutdown)
        # Daemons: one that hangs in a receiver that does not answer must not keep the process.
        threads = [Thread(target=_quietly, args=[work], daemon=True) for work in works]
        for thread in threads:
            thread.start()
        clock_s = asyncio.get_running_loop().time
        last_s = clock_s() + FLUSH_WITHIN_S
        while any(thread.is_alive() for thread in threads):
            if clock_s() > last_s:
                logger.warning("telemetry was not sent in time", limit_s=FLUSH_WITHIN_S)
                return
            await asyncio.sleep(0.01)


def build(environment: Mapping[str, str] | None = None) -> Telemetry:
    """``environment``: that of the process, which the SDK reads too.

    :raises WrongSettings: what is set makes no sense, or is not supported.
    """
    environment = os.environ if environment is None else environment
    resource = _resource(environment)
    readers: list[MetricReader] = []
    try:
        tracer_provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        if _sends(environment, "TRACES"):
            # Late: it takes a while, and most servers send nothing.
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

            tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        if _sends(environment, "METRICS"):
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

            readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    except ValueError as error:
        raise WrongSettings([f"OTEL_*: {error}"]) from None
    return Telemetry(Metrics(readers, resource), Tracing(tracer_provider))


def _resource(environment: Mapping[str, str]) -> Resource:
    ours = {SERVICE_NAME: "beluga-voice", SERVICE_VERSION: version("beluga-voice")}
    resource = Resource.create()
    named = environment.get("OTEL_SERVICE_NAME") or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource(ours).merge(resource) if named else resource.merge(Resource(ours))


def _sends(environment: Mapping[str, str], signal: str) -> bool:
    """
    :raises WrongSettings:
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environment.get(f"OTEL_{signal}_EXPORTER") or "otlp"
    if "otlp" not in {name.strip() for name in exporters.split(",")}:
        return False
    name, endpoint = _given(environment, signal, "ENDPOINT")
    if not endpoint:
        return False
    address = urlsplit(endpoint)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise WrongSettings([f"{name}: {endpoint!r} given, a URL such as http://localhost:4318 allowed"])
    name, protocol = _given(environment, signal, "PROTOCOL")
    if protocol not in {"", _PROTOCOL}:
        raise WrongSettings([f"{name}: {protocol!r} given, {_PROTOCOL} allowed"])
    return True


def _given(environment: Mapping[str, str], signal: str, what: str) -> tuple[str, str]:
    """The name of the variable that holds, and its value: the signal's own, or that of all."""
    own = f"OTEL_EXPORTER_OTLP_{signal}_{what}"
    name = own if environment.get(own) else f"OTEL_EXPORTER_OTLP_{what}"
    return name, environment.get(name, "").strip()


def _quietly(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - the SDK raises what its readers raise, at the end of the process
        logger.warning("telemetry was not sent", error=str(error))
