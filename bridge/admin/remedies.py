"""What to do about each problem on the status page, and where its runbook is."""

from importlib.metadata import PackageNotFoundError, metadata
from typing import NamedTuple
from urllib.parse import urlsplit

RUNBOOKS_PATH = "docs/runbooks"
"""Where the runbooks are in the project."""

PLACEHOLDER = ".example"
"""The end of hosts that never exist (RFC 2606): such a link leads nowhere."""


class Remedy(NamedTuple):
    """What a person does about a problem."""

    remedy: str
    runbook: str | None
    """The name of the alert whose runbook has more."""
    here: str | None = None
    """The fragment of the page's address that shows more."""


NOT_READY = Remedy(
    "If all processes have this, look at Kafka first: brokers, ACLs, passwords. If it is this one alone, restart it.",
    "SmsBridgeInstanceNotReady",
)
KAFKA_LOST = Remedy(
    "If all processes have this, look at the cluster: brokers, certificates, passwords. If it is this one alone, look "
    "at its network and node. The log has Kafka's own error.",
    "SmsBridgeKafkaLost",
)
CREDENTIALS_REFUSED = Remedy(
    "Put the right credentials into the Secret, and restart the bridge; missed polls are caught up on.",
    "SmsBridgeCredentialsRefused",
)
POLLING_PAUSED = Remedy(
    "Check whether the provider has an outage, and whether this process can reach it. Polling goes on by itself.",
    "SmsBridgeCircuitOpen",
)
CALLBACKS_UNAVAILABLE = Remedy(
    "Check Kafka: brokers, disks, in-sync replicas. The providers repeat these callbacks.",
    "SmsBridgeCallbacksUnavailable",
)
RESTORING = Remedy("Wait as long as the number falls. If it doesn't, the log says why.", "SmsBridgeRestoreLong")
BEHIND = Remedy(
    "After a start or an outage, wait as long as it shrinks. Otherwise, add trackers or CPU.", "SmsBridgeJournalLag"
)
NO_PARTITION = Remedy(
    "There is nothing to do: it is a spare. More trackers than partitions have nothing to work on.", None
)
DEAD_LETTERS = Remedy(
    "Look at them: each has its original, and the command that replays it.", "SmsBridgeDeadLetters", "#/dead-letters"
)
SHORT_OF_CPU = Remedy("Give it more CPU, or add replicas; look for CPU throttling.", "SmsBridgeJournalLag")


def make_runbook_url(base: str, runbook: str | None) -> str | None:
    """Make a runbook's URL.

    Args:
        base: The URL under which the runbooks are published; empty if nobody knows.
        runbook: The name of its alert; None if there is none.
    """
    return f"{base.rstrip('/')}/{runbook}.md" if base and runbook else None


def find_runbooks(base: str) -> str:
    """Find where the runbooks are published; empty if nobody says, or says a placeholder.

    Args:
        base: Where the settings say they are; empty: where the project publishes them.
    """
    url = base or _find_published()
    return "" if (urlsplit(url).hostname or "").endswith(PLACEHOLDER) else url


def _find_published() -> str:
    try:
        urls = metadata("sms-bridge").get_all("Project-URL") or []
    except PackageNotFoundError:  # not installed, but on the path
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    return f"{named['Homepage'].rstrip('/')}/{RUNBOOKS_PATH}" if "Homepage" in named else ""
