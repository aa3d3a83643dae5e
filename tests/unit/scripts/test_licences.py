"""docs/licences.md: the licences of the packages that an installation contains."""

import re

import pytest

from scripts import licences
from scripts.licences import PAGE, format_page


def test_the_page_is_current() -> None:
    """It matches the lock files and the packages' metadata (`make docs` writes it)."""
    assert PAGE.read_text() == format_page()


def test_every_package_has_a_licence_that_the_service_can_be_distributed_under() -> None:
    """None is unknown, a whole text, or one of the GNU licences."""
    rows = [row.strip("| ").split(" | ") for row in PAGE.read_text().splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 50
    assert [row for row in rows if len(row) != 4 or re.search(r"GPL|GNU|UNKNOWN", row[2])] == []


def test_packages_that_are_not_installed_as_locked_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their licences would be those of another version."""
    monkeypatch.setattr(licences, "read_lock_file", lambda _: {"aiokafka": "0.1.0", "no-such-package": "1.0"})
    with pytest.raises(LookupError, match="run `make setup`: aiokafka, no-such-package"):
        format_page()
