"""Which brokers are too old: those that lack a request that the bridge needs. Brokers tell what they offer (KIP-35)."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import structlog
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest

from bridge.core.errors import ConfigurationError

OLDEST_TESTED_RELEASE = "3.0"
"""Of Apache Kafka. Older ones that have all required requests get a warning."""

ASK_TIMEOUT_SECONDS = 5.0

ApiVersions = Mapping[int, tuple[int, int]]
"""A broker's lowest and highest version of each request, by the request's number (`api_key`)."""

log = structlog.get_logger(__name__)


class ApiMarker(NamedTuple):
    """A version of a request, and where it comes from."""

    request: str
    api_key: int
    version: int
    release: str
    """Of Apache Kafka, which has it first."""

    def is_offered(self, versions: ApiVersions) -> bool:
        """Whether a broker has this version or a newer one."""
        return self.api_key in versions and versions[self.api_key][1] >= self.version


STATIC_MEMBERS = ApiMarker("JoinGroup", 11, 5, "2.3")
"""Members that keep their partitions over a restart."""

LASTING_PRODUCERS = ApiMarker("InitProducerId", 22, 3, "2.5")
"""KIP-360: the broker still knows a producer when retention has deleted the last of its records. The client library
doesn't send this version; it only marks the release."""

REQUIRED: Sequence[ApiMarker] = (
    # Records with headers, and reading only what transactions committed.
    ApiMarker("Produce", 0, 3, "0.11"),
    ApiMarker("Fetch", 1, 4, "0.11"),
    ApiMarker("ListOffsets", 2, 2, "0.11"),
    # Transactions with offsets in them.
    ApiMarker("AddPartitionsToTxn", 24, 0, "0.11"),
    ApiMarker("AddOffsetsToTxn", 25, 0, "0.11"),
    ApiMarker("EndTxn", 26, 0, "0.11"),
    ApiMarker("TxnOffsetCommit", 28, 0, "0.11"),
    STATIC_MEMBERS,
    # Topics with as many replicas as the cluster prefers.
    ApiMarker("CreateTopics", 19, 4, "2.4"),
    LASTING_PRODUCERS,
)

MARKERS: Sequence[ApiMarker] = (
    STATIC_MEMBERS,
    ApiMarker("CreateTopics", 19, 5, "2.4"),
    LASTING_PRODUCERS,
    ApiMarker("Fetch", 1, 12, "2.7"),
    ApiMarker("Metadata", 3, 11, "2.8"),
    ApiMarker("OffsetFetch", 9, 8, OLDEST_TESTED_RELEASE),
)
"""What tells releases apart, from old to new."""


class BrokerSupport(NamedTuple):
    """Whether the bridge works with a broker."""

    level: Literal["supported", "untested", "refused"]
    text: str
    """Which release it is, as far as its requests tell, and what it lacks."""


def assess_broker(versions: ApiVersions) -> BrokerSupport:
    """Tell from a broker's requests whether the bridge works with it."""
    release = _estimate_release(versions)
    missing = [one for one in REQUIRED if not one.is_offered(versions)]
    if missing:
        lacks = ", ".join(f"{one.request} version {one.version}" for one in missing)
        return BrokerSupport("refused", f"speaks the protocol of Apache Kafka {release}, without {lacks}")
    text = f"speaks the protocol of Apache Kafka {release}"
    return BrokerSupport("supported" if MARKERS[-1].is_offered(versions) else "untested", text)


def _estimate_release(versions: ApiVersions) -> str:
    """Return the releases that a broker can be, by the newest marker that it offers."""
    newest = max((number for number, one in enumerate(MARKERS) if one.is_offered(versions)), default=-1)
    if newest < 0:
        return f"before {MARKERS[0].release}"
    if newest == len(MARKERS) - 1:
        return f"{MARKERS[newest].release} or newer"
    return f"{MARKERS[newest].release}, before {MARKERS[newest + 1].release}"


async def assess_brokers(admin: Any) -> dict[str, BrokerSupport]:
    """Ask each of the cluster's brokers what it offers, and assess it.

    Args:
        admin: A started admin client.

    Returns:
        By the broker's address. Brokers that don't answer now are left out.
    """
    client = admin._client  # noqa: SLF001 - the only way to ask a certain broker
    brokers = list(client.cluster.brokers())
    answers = await asyncio.gather(*(_fetch_versions(client, broker.nodeId) for broker in brokers))
    return {
        f"{broker.host}:{broker.port}": assess_broker(versions)
        for broker, versions in zip(brokers, answers, strict=True)
        if versions
    }


async def _fetch_versions(client: Any, node: int) -> ApiVersions:
    try:
        async with asyncio.timeout(ASK_TIMEOUT_SECONDS):
            response = await client.send(node, ApiVersionRequest())
    except (KafkaError, OSError) as error:
        log.debug("a broker doesn't tell its versions", broker=node, error=str(error))
        return {}
    return {api_key: (lowest, highest) for api_key, lowest, highest in response.api_versions}


async def refuse_old_brokers(admin: Any) -> None:
    """Refuse brokers that lack something, and warn of others that are older than all tested ones.

    Args:
        admin: A started admin client.

    Raises:
        ConfigurationError: A broker is too old.
    """
    found = await assess_brokers(admin)
    if refused := {address: one.text for address, one in found.items() if one.level == "refused"}:
        [(address, text), *others] = refused.items()
        more = f" (and {len(others)} more)" if others else ""
        raise ConfigurationError(
            f"the broker {address}{more} {text}; upgrade the brokers to Apache Kafka {OLDEST_TESTED_RELEASE} or newer"
        )
    if untested := {address: one.text for address, one in found.items() if one.level == "untested"}:
        log.warning("the brokers are older than all tested ones", brokers=untested, oldest_tested=OLDEST_TESTED_RELEASE)
