"""The configuration of the sandbox's brokers, with Kafka's own names and values."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.sandbox.ports import HOST

COMMON_PROPERTIES: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
    "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
    # A misspelt topic name must fail here as it would in production.
    "auto.create.topics.enable": "false",
    "delete.topic.enable": "true",
    # Groups form at once, and tests can wait until a session expires.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # A killed broker's registration must expire before the same broker can come back.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    # Few partitions in internal topics: each needs a folder, files and memory maps.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
    "log.cleaner.enable": "true",
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": "4194304",
}

REPLICATION_PROPERTIES: Mapping[int, Mapping[str, str]] = {
    1: {
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
    },
    3: {
        "offsets.topic.replication.factor": "3",
        "transaction.state.log.replication.factor": "3",
        "transaction.state.log.min.isr": "2",
        "share.coordinator.state.topic.replication.factor": "3",
        "share.coordinator.state.topic.min.isr": "2",
        "default.replication.factor": "3",
        "min.insync.replicas": "2",
    },
}
"""By the number of brokers."""


def format_properties(
    node: int, port: int, controllers: Sequence[int], data: Path, overrides: Mapping[str, str]
) -> str:
    """Return one broker's configuration file.

    Args:
        node: Its id, from 1.
        port: Where it serves clients.
        controllers: Every node's controller port, in the order of their ids.
        data: The folder of its logs.
        overrides: Settings that override all others, except that `listeners` are added to the broker's own.
    """
    others = dict(overrides)
    more_listeners = f",{others.pop('listeners')}" if "listeners" in others else ""
    voters = ",".join(f"{voter}@{HOST}:{controller}" for voter, controller in enumerate(controllers, 1))
    own = {
        "node.id": str(node),
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controllers[node - 1]}{more_listeners}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}{more_listeners}",
        "controller.quorum.voters": voters,
        "log.dirs": str(data),
    }
    settings = {**COMMON_PROPERTIES, **REPLICATION_PROPERTIES[len(controllers)], **own, **others}
    return "".join(f"{name}={value}\n" for name, value in settings.items())
