"""Ports for processes that tests start, separate from the sandbox's broker ports."""

import random
import socket
from contextlib import suppress

HOST = "127.0.0.1"
PORTS = range(10_000, 20_000)

_claims: list[socket.socket] = []


def find_free_ports(count: int) -> list[int]:
    """Return ports that are free and that no other test process gets while this process lives.

    A service listens some time after its port was chosen, and not while it is down; the claim lasts nevertheless.
    """
    # Not the shared generator: tests seed it.
    candidates = iter(random.SystemRandom().sample(PORTS, len(PORTS)))
    return [next(port for port in candidates if _claim(port)) for _ in range(count)]


def _claim(port: int) -> bool:
    """Bind the UDP port with the same number, which nothing else uses, as a mark for other test processes."""
    claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with suppress(OSError):
        claim.bind((HOST, port))
        with socket.create_server((HOST, port)):
            _claims.append(claim)
            return True
    claim.close()
    return False
