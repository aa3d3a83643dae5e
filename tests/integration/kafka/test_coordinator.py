"""The answer of a broker that isn't a group's coordinator."""

from aiokafka import TopicPartition
from aiokafka.admin import NewTopic

from bridge.kafka.consumers import close_consumer
from bridge.sandbox.kafka.broker import Sandbox
from tests.support.kafka.clients import clients_of


async def test_wrong_coordinator_returns_no_partitions(unique: str) -> None:
    """A real Kafka answers like this, which the code relies on to distinguish an error from no offsets."""
    async with Sandbox(brokers=3) as kafka:
        clients = clients_of(kafka.bootstrap_servers)
        admin, some = await clients.admin(), [TopicPartition(unique, number) for number in range(2)]
        member = await clients.member(unique)
        try:
            await admin.create_topics([NewTopic(unique, 2, 1)])
            member.assign(some)
            await member.commit({some[0]: 5})
            right = await admin.find_coordinator(unique)
            said = {
                broker.node: await admin.list_consumer_group_offsets(unique, broker.node, some)
                for broker in kafka.brokers
            }
        finally:
            await close_consumer(member)
            await admin.close()
        assert {tp: at.offset for tp, at in said.pop(right).items()} == {some[0]: 5, some[1]: -1}
        assert list(said.values()) == [{}, {}]
