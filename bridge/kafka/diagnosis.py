"""Why Kafka can't be reached: each bootstrap server is tried once more, since the client library doesn't tell."""

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from bridge.kafka.broker_limits import BrokerLimitError
from bridge.kafka.errors import format_error
from bridge.settings.model import PREFIX
from bridge.tls.connection_errors import list_causes

TIMEOUT = 4.0
"""Seconds for one server."""

SETTING = f"{PREFIX}KAFKA__"

REASONS: Sequence[tuple[tuple[type[BaseException], ...], str]] = (
    ((socket.gaierror, UnicodeError), "the name isn't found"),
    ((ConnectionRefusedError,), "the connection is refused; is the port right, and Kafka up?"),
    ((ssl.SSLCertVerificationError,), f"TLS failed: {{reason}}; see {SETTING}SSL_CAFILE"),
    ((ssl.SSLError,), f"TLS failed: {{reason}}; see {SETTING}SECURITY_PROTOCOL and {SETTING}SSL_CERTFILE"),
    (
        (AuthenticationFailedError, SaslAuthenticationFailed),
        f"the login is refused; see {SETTING}SASL_USERNAME and {SETTING}SASL_PASSWORD",
    ),
    ((UnsupportedSaslMechanismError,), f"the broker doesn't offer this mechanism; see {SETTING}SASL_MECHANISM"),
    ((IllegalSaslStateError,), f"the broker expects no login there; see {SETTING}SECURITY_PROTOCOL"),
    ((BrokerLimitError,), "{reason}"),
    ((TimeoutError,), f"no answer within {TIMEOUT:g} s; is a firewall in between, or the port another protocol's?"),
    (
        (KafkaError, ConnectionError, asyncio.IncompleteReadError),
        f"the connection is closed by the other side; see {SETTING}SECURITY_PROTOCOL",
    ),
)
"""What is told about an error, by its type; the first that fits."""


async def explain_unreachable(servers: Sequence[str], options: Mapping[str, Any]) -> str:
    """Explain in one line why none of the servers can be used.

    Args:
        servers: The bootstrap servers, `host:port`.
        options: The client library's options for connecting.
    """
    reasons = await asyncio.gather(*(_explain_server(server, options) for server in servers))
    told: dict[str, list[str]] = {}
    for server, reason in zip(servers, reasons, strict=True):
        told.setdefault(reason, []).append(server)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in told.items())


async def _explain_server(server: str, options: Mapping[str, Any]) -> str:
    host, _, port = server.rpartition(":")
    known = {name: value for name, value in options.items() if name != "bootstrap_servers"}
    try:
        async with asyncio.timeout(TIMEOUT):
            connection = await create_conn(host.strip("[]"), int(port), **known)
            try:
                await connection.send(MetadataRequest([]))
            finally:
                connection.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is why there is no connection
        return _explain(error)
    return "it answers now; try again"


def _explain(error: BaseException) -> str:
    error = next((cause for cause in list_causes(error) if isinstance(cause, BrokerLimitError)), error)
    text = next((text for kinds, text in REASONS if isinstance(error, kinds)), "{reason}")
    reason = getattr(error, "verify_message", None) or getattr(error, "reason", None) or format_error(error)
    return text.format(reason=reason)
