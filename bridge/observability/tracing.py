"""Traces, optional: what became of a message, in the trace that its sender started. Switched off, it does nothing.

On with the extra `otel` and an address, `OTEL_EXPORTER_OTLP_ENDPOINT` (or `..._TRACES_ENDPOINT`); all else is set by
OpenTelemetry's own variables too. Spans are made after the fact, so that nothing waits for them. Parts are handed
an instance; nothing else knows OpenTelemetry.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bridge.core.entries import Report, Sent
from bridge.core.errors import ConfigurationError
from bridge.core.publication import Publication

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
HEADERS = ("traceparent", "ce_traceparent")
NAME = "sms-bridge"
FLUSH_TIMEOUT_MS = 3_000
"""For spans that aren't sent yet when the process ends."""

_TRACEPARENT_PARTS = 4


class Tracing:
    """Makes spans; without a tracer provider, nothing. Times are nanoseconds since the epoch."""

    def __init__(self, provider: Any = None) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(NAME) if provider else None

    @property
    def active(self) -> bool:
        """Whether spans are made."""
        return self._tracer is not None

    def trace_accepted(self, entries: Iterable[Sent], started_ns: int) -> None:
        """Make a span for each sent event that is in the journal now."""
        if self._tracer:
            for entry in entries:
                self._span(
                    "sms.sent",
                    "CONSUMER",
                    entry.traceparent,
                    started_ns,
                    _make_attributes(entry, message_id=entry.message_id),
                )

    def trace_callback(self, report: Report, started_ns: int) -> None:
        """Make a span for a callback that is in the journal now. Its message isn't known here: it starts a trace."""
        if self._tracer:
            self._span(
                "callback", "SERVER", "", started_ns, _make_attributes(report, status=report.provider_status or "")
            )

    def trace_published(self, publications: Iterable[Publication]) -> None:
        """Make a span for each committed event, from its report's arrival to now."""
        if self._tracer:
            for publication in publications:
                delivery, traceparent = publication.delivery, publication.traceparent
                about = _make_attributes(
                    delivery,
                    message_id=delivery.message_id,
                    status=delivery.status.value,
                    reason=delivery.reason.value,
                    source=delivery.source.value,
                    event_id=delivery.event_id,
                )
                self._span("sms.delivery", "PRODUCER", traceparent, publication.timestamp * 1_000_000, about)

    def close(self) -> None:
        """Send the remaining spans, but not for long."""
        if self._provider:
            self._provider.force_flush(FLUSH_TIMEOUT_MS)
            self._provider.shutdown()

    def _span(self, name: str, kind: str, traceparent: str | None, started_ns: int, about: Mapping[str, str]) -> None:
        """Make a span from then to now. None as a parent means no trace; an empty text starts a new one."""
        if traceparent is None or self._tracer is None:
            return
        # Only installations with tracing have the library.
        from opentelemetry.trace import SpanKind  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
        span = self._tracer.start_span(
            name, context=parent, kind=SpanKind[kind], start_time=started_ns, attributes=about
        )
        span.end(time.time_ns())


def configure_tracing(environ: Mapping[str, str], version: str) -> Tracing:
    """Make what the environment asks for.

    Raises:
        ConfigurationError: It asks for traces, and the extra isn't installed.
    """
    address = next((name for name in ENDPOINT_VARIABLES if environ.get(name)), None)
    if address is None or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - the same
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            f"{address} is set, but the extra is missing: pip install 'sms-bridge[otel]'"
        ) from None

    named = {"service.name": environ.get("OTEL_SERVICE_NAME", NAME), "service.version": version}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


def find_traceparent(headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """Find a record's `traceparent` (W3C Trace Context), or the CloudEvents extension of that name."""
    if not headers:
        return None
    found = {name: (text or b"").decode("ascii", "replace") for name, text in headers if name in HEADERS}
    return next((found[name] for name in HEADERS if name in found), None)


def parse_trace_id(traceparent: str | None) -> str | None:
    """Parse the id of the trace, for log lines."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) >= _TRACEPARENT_PARTS else None


def _make_attributes(one: Any, **more: str) -> dict[str, str]:
    """Make a span's attributes: ids and statuses, never a phone number."""
    known = {"provider": one.provider, "account": one.account, "provider_message_id": one.provider_message_id}
    return {f"sms_bridge.{name}": value for name, value in {**known, **more}.items()}
