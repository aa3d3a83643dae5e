"""Ports for processes that tests start, separate from the sandbox's broker ports."""

from bridge.sandbox.ports import HOST, claim_free_ports

__all__ = ["HOST", "PORTS", "find_free_ports"]

PORTS = range(10_000, 20_000)


def find_free_ports(count: int) -> list[int]:
    """Return ports that are free and that no other test process gets while this process lives."""
    return claim_free_ports(count, PORTS)
