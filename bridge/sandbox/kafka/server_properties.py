"""How the sandbox's brokers are configured: Kafka's own names and values, as tables. Nothing is started here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

HOST = "127.0.0.1"

ALWAYS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
    "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
    # A typing error in a topic's name must fail here as it would in production.
    "auto.create.topics.enable": "false",
    "delete.topic.enable": "true",
    # Groups form at once, and a test may wait for a session to run out.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # A killed broker's registration has to run out before the same broker may come back.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    # Internal topics: every partition is a folder, files and memory maps.
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

REPLICATION: Mapping[int, Mapping[str, str]] = {
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


def broker_properties(
    node: int, port: int, controllers: Sequence[int], data: Path, overrides: Mapping[str, str]
) -> str:
    """One broker's configuration file.

    Args:
        node: Its id, from 1.
        port: Where it serves clients.
        controllers: Every node's controller port, in the order of their ids.
        data: The folder of its logs.
        overrides: Kafka's settings that win over all others; its `listeners` come beside the broker's own.
    """
    others = dict(overrides)
    further = f",{others.pop('listeners')}" if "listeners" in others else ""
    voters = ",".join(f"{voter}@{HOST}:{controller}" for voter, controller in enumerate(controllers, 1))
    own = {
        "node.id": str(node),
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controllers[node - 1]}{further}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}{further}",
        "controller.quorum.voters": voters,
        "log.dirs": str(data),
    }
    settings = {**ALWAYS, **REPLICATION[len(controllers)], **own, **others}
    return "".join(f"{name}={value}\n" for name, value in settings.items())
