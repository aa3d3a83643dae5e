"""The bridge's own clients of a Kafka, and topics made with them, for tests of what stands on them."""

from aiokafka.admin import NewTopic

from bridge.kafka.clients import KafkaClients
from bridge.settings.model import KafkaSettings


def clients_of(bootstrap_servers: str) -> KafkaClients:
    """Of one Kafka; several addresses have commas between."""
    return KafkaClients(KafkaSettings(bootstrap_servers=tuple(bootstrap_servers.split(","))))


async def make_topic(clients: KafkaClients, name: str, partitions: int = 1) -> None:
    """Make a topic that isn't replicated."""
    admin = await clients.admin()
    await admin.create_topics([NewTopic(name, partitions, 1)])
    await admin.close()
