"""Every documented metric exists and changes when it should."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.service.bridge import Bridge, message
from tests.support.service.providers import NOT_FOUND, Providers, dexatel_says

COUNTERS: dict[str, set[str]] = {
    "sent_accepted": {"provider"},
    "sent_skipped": {"reason"},
    "sent_members_ignored": {"member"},
    "callbacks_received": {"provider", "outcome"},
    "polls_completed": {"provider", "outcome"},
    "reports_folded": {"provider", "source", "outcome"},
    "deliveries_published": {"provider", "account", "status", "source"},
    "corrections_published": {"provider", "account"},
    "attempts_started": {"provider", "account", "age"},
    "attempts_ended": {"provider", "account", "age", "outcome"},
    "network_attempts_ended": {"provider", "network", "outcome"},
    "attempts_priced": {"provider", "account"},
    "price_charged": {"provider", "account"},
    "failures_published": {"provider", "account", "reason"},
    "dead_letters_written": {"reason"},
    "transactions_completed": {"outcome"},
    "workers_restarted": {"cause"},
    "caches_rebuilt": {"cause"},
    "http_connections_closed": {"listener", "reason"},
    "admin_tokens_refused": set(),
}
HISTOGRAMS: dict[str, set[str]] = {
    "delivery_latency": {"provider", "account", "status"},
    "callback_duration": {"provider"},
    "poll_duration": {"provider"},
    "poll_lateness": {"provider"},
    "publish_delay": set(),
    "transaction_duration": set(),
    "transaction_entries": set(),
    "append_records": set(),
    "restore_duration": set(),
}
GAUGES: dict[str, set[str]] = {
    "callbacks_in_flight": set(),
    "part_ready": {"part"},
    "attempts_followed": {"provider"},
    "attempts_pending": {"provider", "age"},
    "parked_reports": set(),
    "oldest_followed_age_seconds": {"provider"},
    "polls_due": {"provider"},
    "circuit_open": {"provider", "account"},
    "credentials_refused": {"provider", "account"},
    "journal_lag_entries": {"partition"},
    "journal_lag_seconds": {"partition"},
    "partitions_assigned": set(),
    "journal_partitions": set(),
    "restore_entries_remaining": set(),
    "provider_clock_skew_seconds": {"provider"},
    "event_loop_delay_seconds": set(),
    "certificate_expiry_timestamp_seconds": {"setting"},
    "http_connections": {"listener"},
    "build_info": {"version"},
}


async def test_documented_metrics_are_exposed(bridge: Bridge, providers: Providers) -> None:
    """Metric names and labels are as documented, because dashboards and alerts depend on them."""
    one = message(account="polled")
    providers.script(one.provider_message_id, [dexatel_says("delivered")])
    await bridge.send(one)
    await bridge.wait_for_final(one)
    _, text = await bridge.service.fetch("/metrics")
    types = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE sms_bridge_"))
    for kind, suffix, families in (
        ("counter", "_total", COUNTERS),
        ("histogram", "", HISTOGRAMS),
        ("gauge", "", GAUGES),
    ):
        missing = [name for name in families if types.get(f"sms_bridge_{name}{suffix}") != kind]
        assert not missing, kind
    labels = _labels(await bridge.service.read_samples())
    for suffix, families in (("_total", COUNTERS), ("_count", HISTOGRAMS), ("", GAUGES)):
        for name, expected in families.items():
            for found in labels.get(f"sms_bridge_{name}{suffix}", [expected]):
                assert found == expected, name


def _labels(samples: dict[str, float]) -> dict[str, list[set[str]]]:
    found: dict[str, list[set[str]]] = {}
    for sample in samples:
        name, _, labels = sample.partition("{")
        names = {pair.split("=")[0] for pair in labels.rstrip("}").split(",") if "=" in pair}
        found.setdefault(name, []).append(names)
    return found


async def _sent(bridge: Bridge, **members: Any) -> None:
    one = await bridge.send_and_wait(message(**members))
    await bridge.report_all(one, "pending", "pending")
    assert await bridge.report(one, "failed", mccmnc="283-01", price="0.0125") == 200
    await bridge.report_all(one, "sent", "delivered")
    await bridge.events(one, 3)


async def _spoilt(bridge: Bridge) -> None:
    await bridge.topics.publish(b"{")
    await bridge.topics.publish(None)
    for query, status in (("id=1", 200), ("id=%25x&status=sent", 200)):
        assert (await bridge.client.get(f"{bridge.url('dexatel')}?{query}")).status_code == status
    assert (await bridge.client.get(f"{bridge.service.url}/dlr/dexatel/not-the-secret-0123456")).status_code == 404
    early = message()
    await bridge.report_all(early, "delivered")
    await bridge.topics.wait_until_folded()
    await bridge.send(early)
    await bridge.events(early)


MOVED = {
    'sent_accepted_total{provider="dexatel"}': 2,
    'sent_skipped_total{reason="tombstone"}': 1,
    'callbacks_received_total{outcome="journaled",provider="dexatel"}': 6,
    'callbacks_received_total{outcome="dead_lettered",provider="dexatel"}': 2,
    'callbacks_received_total{outcome="rejected",provider="dexatel"}': 1,
    'callback_duration_count{provider="dexatel"}': 9,
    'reports_folded_total{outcome="published",provider="dexatel",source="callback"}': 3,
    'reports_folded_total{outcome="duplicate",provider="dexatel",source="callback"}': 1,
    'reports_folded_total{outcome="late",provider="dexatel",source="callback"}': 1,
    'reports_folded_total{outcome="parked",provider="dexatel",source="callback"}': 1,
    'deliveries_published_total{account="default",provider="dexatel",source="callback",status="pending"}': 1,
    'deliveries_published_total{account="default",provider="dexatel",source="callback",status="failed"}': 1,
    'deliveries_published_total{account="default",provider="dexatel",source="callback",status="delivered"}': 2,
    'corrections_published_total{account="default",provider="dexatel"}': 1,
    'network_attempts_ended_total{network="28301",outcome="not_delivered",provider="dexatel"}': 1,
    'network_attempts_ended_total{network="unreported",outcome="delivered",provider="dexatel"}': 1,
    'attempts_priced_total{account="default",provider="dexatel"}': 1,
    'price_charged_total{account="default",provider="dexatel"}': 0.0125,
    'dead_letters_written_total{reason="malformed"}': 1,
    'dead_letters_written_total{reason="unreadable"}': 2,
}


async def test_counters_count_each_event(bridge: Bridge) -> None:
    """A scenario with every kind of event increases each counter by the right amount."""
    await bridge.topics.wait_until_folded()
    before = await bridge.service.read_samples()
    await _sent(bridge)
    await _spoilt(bridge)
    await bridge.topics.wait_until_folded()
    after = await bridge.service.read_samples()
    moved = {name: after.get(f"sms_bridge_{name}", 0) - before.get(f"sms_bridge_{name}", 0) for name in MOVED}
    assert moved == MOVED
    for name in ('transactions_completed_total{outcome="committed"}', "transaction_duration_count"):
        assert after[f"sms_bridge_{name}"] > before[f"sms_bridge_{name}"]
    latency = 'sms_bridge_delivery_latency_count{account="default",provider="dexatel",status="delivered"}'
    assert after[latency] >= before.get(latency, 0) + 1
    # From a report's arrival to its event: three that were told after their sent, and one that waited for it.
    assert after["sms_bridge_publish_delay_count"] - before["sms_bridge_publish_delay_count"] == 4


async def test_poll_metrics(bridge: Bridge, providers: Providers) -> None:
    """The metrics count poll results, durations and lateness."""
    names = (
        'polls_completed_total{outcome="report",provider="dexatel"}',
        'polls_completed_total{outcome="no_report",provider="dexatel"}',
        'poll_duration_count{provider="dexatel"}',
        'poll_lateness_count{provider="dexatel"}',
        'deliveries_published_total{account="v1",provider="dexatel",source="poll",status="delivered"}',
    )
    before = await bridge.service.read_samples()
    one = message(account="v1")
    providers.script(one.provider_message_id, [NOT_FOUND, dexatel_says("delivered")])
    await bridge.send(one)
    await bridge.wait_for_final(one)
    after = await bridge.service.read_samples()
    for name in names:
        assert after[f"sms_bridge_{name}"] >= before.get(f"sms_bridge_{name}", 0) + 1, name


async def test_gauges_show_open_work(bridge: Bridge) -> None:
    """The gauges of followed attempts, parked reports and lag rise and fall."""

    async def gauge(name: str) -> float:
        return await bridge.service.read_sample(f"sms_bridge_{name}")

    followed = 'attempts_followed{provider="speedocom"}'
    await bridge.topics.wait_until_folded()
    open_before = await gauge(followed)
    messages = [await bridge.send_and_wait(message("speedocom")) for _ in range(3)]

    async def follows(count: float) -> bool:
        return await gauge(followed) == count

    await bridge.topics.wait_until_async(lambda: follows(open_before + 3), "three more are followed")
    assert await gauge('oldest_followed_age_seconds{provider="speedocom"}') > 0
    for one in messages:
        await bridge.report_all(one, "DeliveredToTerminal")
    await bridge.topics.wait_until_async(lambda: follows(open_before), "they are over")
    assert await gauge("partitions_assigned") == 4
    assert await gauge("restore_entries_remaining") == 0
    samples = await bridge.service.read_samples()
    lags = [n for name, n in samples.items() if name.startswith("sms_bridge_journal_lag_entries{")]
    assert lags == [0, 0, 0, 0]


async def test_readiness_by_part(bridge: Bridge) -> None:
    """`/readyz` shows which part isn't ready."""
    samples = await bridge.service.read_samples()
    parts = {name: n for name, n in samples.items() if name.startswith("sms_bridge_part_ready{")}
    assert parts == {
        f'sms_bridge_part_ready{{part="{part}"}}': 1 for part in ("started", "tracker", "intake", "receiver")
    }


async def test_callbacks_in_flight_are_counted(bridge: Bridge) -> None:
    """A callback whose body is still being received counts as in flight until it is answered."""

    async def in_flight(count: int) -> bool:
        return await bridge.service.read_sample("sms_bridge_callbacks_in_flight") == count

    address = urlsplit(bridge.url("dexatel"))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST {address.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"
    writer.write(head.encode())
    await bridge.topics.wait_until_async(lambda: in_flight(1), "it is in flight")
    appended = await bridge.service.read_sample("sms_bridge_append_records_count")
    writer.write(b"{}")
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    await bridge.topics.wait_until_async(lambda: in_flight(0), "it is answered")
    assert await bridge.service.read_sample("sms_bridge_append_records_count") > appended


async def test_clock_skew_is_measured(bridge: Bridge) -> None:
    """A provider's clock three hours ahead is a skew metric, and its times are not used."""
    one = await bridge.send_and_wait(message("speedocom"))
    ahead = f"{datetime.now(UTC) + timedelta(hours=3):%Y-%m-%d %H:%M:%S}"
    assert await bridge.report(one, "DeliveredToTerminal", timestamp=ahead) == 200
    [event] = await bridge.events(one)
    assert event["occurred_at_source"] == "observed"
    skew = await bridge.service.read_sample('sms_bridge_provider_clock_skew_seconds{provider="speedocom"}')
    assert skew == pytest.approx(3 * 3600, abs=5)


async def test_log_is_json_without_secrets(bridge: Bridge) -> None:
    """Each log line is JSON; `clean_logs` checks for secrets after every test."""
    lines = [json.loads(line) for line in bridge.service.log.splitlines()]
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    assert len(bridge.service.secrets) > 10
