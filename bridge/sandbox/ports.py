"""Free ports of the loopback address, which stay this process's own."""

import atexit
import random
import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress

HOST = "127.0.0.1"

PORTS = range(20_000, 32_000)
"""Below Linux's ephemeral ports, so that no client connection takes a server's port while the server is down."""

_claims = ExitStack()
atexit.register(_claims.close)


def claim_free_ports(count: int, ports: Sequence[int] = PORTS) -> list[int]:
    """Return ports that are free, and that no other process gets in this way while this one lives.

    A server listens some time after its port was chosen, and not while it is down; the claim lasts nevertheless.
    """
    # Not the global generator: tests seed it, and two processes would then choose the same ports.
    candidates = iter(random.SystemRandom().sample(ports, len(ports)))
    return [next(port for port in candidates if _claim(port)) for _ in range(count)]


def _claim(port: int) -> bool:
    """Bind the UDP port with the same number, which nothing else uses, as a mark for other processes."""
    claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with suppress(OSError):
        claim.bind((HOST, port))
        with socket.create_server((HOST, port)):
            _claims.enter_context(claim)
            return True
    claim.close()
    return False
