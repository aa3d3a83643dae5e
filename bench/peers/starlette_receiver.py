"""The receiver's work with uvicorn and Starlette, one `send` per request, as it is commonly written."""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hmac import compare_digest
from typing import Any

import orjson
import uvicorn
from aiokafka import AIOKafkaProducer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

MEANINGS = {"delivered": ("delivered", "none"), "sent": ("sent", "none"), "failed": ("failed", "unspecified")}


def make_application(servers: str, topic: str, secret: str) -> Starlette:
    """Return the application."""
    producer: Any = None

    @asynccontextmanager
    async def connect(_app: Starlette) -> AsyncIterator[None]:
        nonlocal producer
        producer = AIOKafkaProducer(
            bootstrap_servers=servers, enable_idempotence=True, compression_type="lz4", linger_ms=2
        )
        async with producer:
            yield

    async def receive(request: Request) -> PlainTextResponse:
        if not compare_digest(request.path_params["secret"], secret):
            return PlainTextResponse("not found", 404)
        query = request.query_params
        provider_id, provider_status = query.get("message_uuid", ""), query.get("status", "").lower()
        if not provider_id or len(provider_id) > 128 or provider_status not in MEANINGS:
            return PlainTextResponse("unreadable", 400)
        status, reason = MEANINGS[provider_status]
        entry = {
            "v": 1,
            "type": "report",
            "provider": "dexatel",
            "account": "default",
            "provider_message_id": provider_id,
            "provider_status": provider_status,
            "provider_code": query.get("error_code"),
            "provider_details": {},
            "provider_time": int(query["timestamp"]) * 1000 if "timestamp" in query else None,
            "source": "callback",
            "observed_at": time.time_ns() // 1_000_000,
            "raw": request.url.query,
            "status": status,
            "reason": reason,
            "permanent": None,
        }
        await producer.send_and_wait(topic, orjson.dumps(entry), key=f"dexatel:default:{provider_id}".encode())
        return PlainTextResponse("OK")

    return Starlette(routes=[Route("/dlr/dexatel/{secret}", receive)], lifespan=connect)


def main(servers: str, topic: str, address: str, secret: str) -> None:
    """Serve."""
    host, _, port = address.partition(":")
    options: dict[str, Any] = {"loop": "uvloop", "http": "httptools", "log_level": "warning", "access_log": False}
    uvicorn.run(make_application(servers, topic, secret), host=host, port=int(port), **options)


if __name__ == "__main__":
    main(*sys.argv[1:5])
