"""All that can be made to fail, and what a way of making it fail looks like."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from tests.chaos.cluster import Cluster
from tests.chaos.ledger import Ledger
from tests.chaos.plan import Fault
from tests.chaos.providers import Providers
from tests.chaos.replicas import Fleet
from tests.chaos.sender import Sender


class LeftOut(Exception):  # noqa: N818 - named for what happened
    """A fault can't be done here and now; the text says why."""


class World(NamedTuple):
    """Everything of a run."""

    cluster: Cluster
    fleet: Fleet
    providers: Providers
    sender: Sender
    ledger: Ledger
    callback_urls: Mapping[str, str]
    group: str
    burst_per_second: float
    say: Callable[[str], None]

    def tell(self, fault: Fault, whom: str) -> None:
        """Say that a fault begins."""
        self.say(f"fault: {fault.kind} {whom}")


Way = Callable[[World, Fault], Awaitable[None]]
"""How a kind of fault is done, and healed again; raises `LeftOut`."""
