"""The sender of `compose.yaml`: submits messages to the simulators and writes an event for each to `sms.sent`."""  # noqa: INP001 - it runs alone

import asyncio
import json
import os
from datetime import UTC, datetime
from uuid import uuid4

from aiohttp import ClientError, ClientSession
from aiokafka import AIOKafkaProducer


async def main() -> None:
    """Send until stopped. If a provider does not respond, its message is skipped."""
    providers = dict(pair.split("=", 1) for pair in os.environ["PROVIDERS"].split(","))
    pause = 1 / float(os.environ["MESSAGES_PER_SECOND"])
    servers = os.environ["BOOTSTRAP_SERVERS"]
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer, ClientSession() as client:
        while True:
            for provider, url in providers.items():
                await asyncio.sleep(pause)
                one = str(uuid4())
                try:
                    async with client.post(f"{url}/submit", json={"id": one}) as answer:
                        answer.raise_for_status()
                except ClientError:
                    continue
                await producer.send_and_wait("sms.sent", json.dumps(sent(provider, one)).encode(), key=one.encode())


def sent(provider: str, provider_message_id: str) -> dict[str, str]:
    """The event for `sms.sent`."""
    return {
        "message_id": f"compose-{provider_message_id}",
        "provider": provider,
        "provider_message_id": provider_message_id,
        "sent_at": datetime.now(UTC).isoformat(),
    }


if __name__ == "__main__":
    asyncio.run(main())
