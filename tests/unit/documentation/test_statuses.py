"""docs/statuses.md explains every value, and agrees with the code."""

import re

from bridge.core.delivery import FINAL_RANK, OUTCOMES, RANKS, Outcome, Reason, Status
from tests.support.paths import DOCS

TEXT = (DOCS / "statuses.md").read_text()


def rows(heading: str) -> dict[str, list[str]]:
    """Return the other cells of the table below a heading, by the value in the first one."""
    section = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    [found] = (one for one in section if one.startswith(heading))
    cells = [line.strip("|").split("|") for line in found.splitlines() if line.startswith("| `")]
    return {first.strip(" `"): [cell.strip(" `") for cell in rest] for first, *rest in cells}


def test_every_outcome_is_explained() -> None:
    """With whether an event that has it is final."""
    final = {OUTCOMES[status]: "yes" if rank == FINAL_RANK else "no" for status, rank in RANKS.items()}
    assert {outcome: cells[0] for outcome, cells in rows("Outcomes").items()} == final
    assert list(rows("Outcomes")) == list(Outcome)


def test_every_status_is_explained() -> None:
    """In the order of a message's life, with its outcome and a sentence for the customer."""
    assert {status: cells[0] for status, cells in rows("Statuses").items()} == OUTCOMES
    assert list(rows("Statuses")) == list(Status)
    assert all(len(cells) == 3 and all(cells) for cells in rows("Statuses").values())


def test_every_reason_is_explained() -> None:
    """With whether to send the message again, and a sentence for the customer."""
    assert list(rows("Reasons")) == list(Reason)
    assert all(len(cells) == 3 and all(cells) for reason, cells in rows("Reasons").items() if reason != "none")


def test_every_value_of_permanent_is_explained() -> None:
    """True, false and null."""
    assert list(rows("Send it again?")) == ["true", "false", "null"]
