"""Traces: spans in the sender's trace, and nothing if tracing is disabled."""

import subprocess
import sys
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bridge.core.attempt import Followed
from bridge.core.delivery import Reason, Source, Status, Verdict
from bridge.core.entries import Report, Sent
from bridge.core.publication import Publication, make_delivery
from bridge.observability.tracing import Tracing, configure_tracing, find_traceparent, parse_trace_id

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
RECIPIENT = "37499123456"
ONE = Sent(
    message_id="m-1",
    provider="dexatel",
    account="default",
    provider_message_id="p-1",
    sent_at=1_000,
    starts_at=1_000,
    gives_up_at=900_000,
    recipient=RECIPIENT,
    traceparent=TRACEPARENT,
)
REPORT = Report(
    provider="dexatel",
    account="default",
    provider_message_id="p-1",
    status=Status.DELIVERED,
    reason=Reason.NONE,
    permanent=None,
    provider_status="delivered",
    provider_code=None,
    provider_details={},
    provider_time=None,
    source=Source.CALLBACK,
    observed_at=5_000,
    raw=f"to={RECIPIENT}",
)


def publication(traceparent: str | None = TRACEPARENT) -> Publication:
    """Return an event of the message."""
    state = Followed(
        message_id="m-1",
        sent_at=1_000,
        starts_at=1_000,
        ends_at=900_000,
        recipient=RECIPIENT,
        sender=None,
        metadata={},
        traceparent=traceparent,
    )
    return Publication(
        make_delivery("dexatel:default:p-1", state, REPORT, Verdict(Status.DELIVERED)), 5_000, traceparent
    )


def spans(work: Any) -> list[ReadableSpan]:
    """Return the spans that some work with a tracer creates."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    work(Tracing(provider))
    return list(exporter.get_finished_spans())


@pytest.mark.parametrize(
    ("name", "work"),
    [
        ("sms.sent", lambda traces: traces.trace_accepted([ONE], 4_000_000_000)),
        ("sms.delivery", lambda traces: traces.trace_published([publication()])),
    ],
)
def test_message_stays_in_its_senders_trace(name: str, work: Any) -> None:
    """The bridge's span is a child of the sender's, has the message id, and no phone number."""
    [span] = spans(work)
    assert span.name == name
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
    assert span.attributes is not None
    assert span.attributes["sms_bridge.message_id"] == "m-1"
    assert RECIPIENT not in span.to_json()


def test_event_span_starts_with_its_report() -> None:
    """The span's duration is the time from report to event."""
    [span] = spans(lambda traces: traces.trace_published([publication()]))
    assert span.start_time == 5_000 * 1_000_000


def test_callback_starts_its_own_trace() -> None:
    """The message isn't known yet; the provider's id is an attribute."""
    [span] = spans(lambda traces: traces.trace_callback(REPORT, 5_000_000_000))
    assert span.parent is None
    assert span.attributes is not None
    assert span.attributes["sms_bridge.provider_message_id"] == "p-1"
    assert RECIPIENT not in span.to_json()


def test_no_span_without_a_traceparent() -> None:
    """A sender that doesn't trace gets no traces."""
    untraced = replace(ONE, traceparent=None)
    assert (
        spans(lambda traces: (traces.trace_accepted([untraced], 1), traces.trace_published([publication(None)]))) == []
    )


def test_unsampled_trace_has_no_spans() -> None:
    """The sender's sampling decision is used."""
    unsampled = replace(ONE, traceparent=TRACEPARENT[:-2] + "00")
    assert spans(lambda traces: traces.trace_accepted([unsampled], 1)) == []


def test_tracing_library_is_loaded_on_demand() -> None:
    """Without an endpoint nothing of the library is imported."""
    program = (
        "import sys; from bridge.app.app import configure_tracing as tracing; tracing({}, '1').trace_published([]);"
        "tracing({'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://x', 'OTEL_SDK_DISABLED': 'true'}, '1').close();"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - a fixed program


def test_endpoint_without_the_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configured endpoint without the library is an error."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(Exception, match="OTEL_EXPORTER_OTLP_ENDPOINT is set, but the extra is missing"):
        configure_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, "1")


def test_trace_id_of_a_record() -> None:
    """Log lines use it; an invalid header gives none."""
    assert parse_trace_id(find_traceparent([("other", b"x"), ("traceparent", TRACEPARENT.encode())])) == TRACE
    assert parse_trace_id(find_traceparent([("traceparent", b"nonsense")])) is None
    assert parse_trace_id(None) is None
