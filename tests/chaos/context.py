"""What a fault can act on, and the type of the functions that inject faults."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from bridge.sandbox.demo.delivery_consumer import RunNames
from tests.chaos.access import Access
from tests.chaos.cluster import Cluster
from tests.chaos.ledger import Ledger
from tests.chaos.plan import Fault
from tests.chaos.providers import Providers
from tests.chaos.replicas import Fleet
from tests.chaos.sender import Sender
from tests.chaos.versions import Version


class FaultSkippedError(Exception):
    """A fault can't be injected here and now; the text says why."""


class RunContext(NamedTuple):
    """The parts of a run."""

    cluster: Cluster
    fleet: Fleet
    providers: Providers
    sender: Sender
    ledger: Ledger
    callback_urls: Mapping[str, str]
    names: RunNames
    access: Access
    versions: Sequence[Version]
    """This one, and the other one if there is one."""
    give_up_after_ms: int
    """As the bridges are set up at first."""
    burst_per_second: float
    log: Callable[[str], None]

    @property
    def group(self) -> str:
        """The beginning of the bridges' consumer groups."""
        return self.names.group

    def log_fault(self, fault: Fault, target: str) -> None:
        """Log that a fault is injected."""
        self.log(f"fault: {fault.kind} {target}")


FaultInjector = Callable[[RunContext, Fault], Awaitable[None]]
"""Injects a fault and ends it again; raises `FaultSkippedError`."""
