"""The bridge's own Kafka clients, and topics created with them."""

from aiokafka.admin import NewTopic

from bridge.kafka.clients import KafkaClients
from bridge.settings.kafka import KafkaSettings


def clients_of(bootstrap_servers: str) -> KafkaClients:
    """Return clients for a Kafka; several addresses are separated by commas."""
    return KafkaClients(KafkaSettings(bootstrap_servers=tuple(bootstrap_servers.split(","))))


async def make_topic(clients: KafkaClients, name: str, partitions: int = 1) -> None:
    """Create a topic without replication."""
    admin = await clients.admin()
    await admin.create_topics([NewTopic(name, partitions, 1)])
    await admin.close()
