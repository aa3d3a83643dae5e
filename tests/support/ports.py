"""Ports for what tests start, apart from those that the sandbox takes for its brokers."""

import random
import socket
from contextlib import suppress

HOST = "127.0.0.1"
PORTS = range(10_000, 20_000)

_claims: list[socket.socket] = []


def find_free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, and that no other test gets, in whichever process, as long as this process lives.

    A service listens some time after its port was chosen, and not while it is down; the claim lasts nevertheless.
    """
    # Not the shared generator: tests seed it.
    candidates = iter(random.SystemRandom().sample(PORTS, len(PORTS)))
    return [next(port for port in candidates if _claim(port)) for _ in range(count)]


def _claim(port: int) -> bool:
    """Take the UDP port of the same number, which nothing else uses, as a sign for other processes of tests."""
    claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with suppress(OSError):
        claim.bind((HOST, port))
        with socket.create_server((HOST, port)):
            _claims.append(claim)
            return True
    claim.close()
    return False
