"""Bridges of two versions, which log in differently, and the rights of both."""

from pathlib import Path

import pytest

from bridge.sandbox.demo.delivery_consumer import RunNames
from tests.chaos.access import LONG_LIFETIME_SECONDS, Access
from tests.chaos.clocks import Clock
from tests.chaos.replicas import Replica
from tests.chaos.versions import find_python, list_versions
from tests.support.service.process import Service


@pytest.fixture
def access(tmp_path: Path) -> Access:
    """How the bridges log in."""
    return Access(RunNames.make_unique("chaos"), tmp_path, LONG_LIFETIME_SECONDS)


def test_another_version_has_its_code_and_its_login(access: Access, tmp_path: Path) -> None:
    """An update changes the interpreter, the code and the login, and nothing else; the way back changes it back."""
    this, other = list_versions(tmp_path / "other", access)
    whole, part = (Service({"LOG__FORMAT": "json"}, tmp_path / name) for name in ("whole", "part"))
    replica = Replica(0, whole, part, Clock(tmp_path / "clock"), this)
    before = [(one.python, dict(one.variables), dict(one.settings)) for one in replica.services]
    replica.use_version(other)
    for service in replica.services:
        assert service.python == str(find_python(other.checkout))
        assert service.variables["PYTHONPATH"].endswith(f":{other.checkout}")
        assert service.settings["KAFKA__SASL_MECHANISM"] == "PLAIN"
        assert "KAFKA__OAUTH__TOKEN_URL" not in service.settings
        assert service.settings["LOG__FORMAT"] == "json"
    replica.use_version(this)
    assert [(one.python, dict(one.variables), dict(one.settings)) for one in replica.services] == before


def test_there_need_not_be_another_version(access: Access) -> None:
    """Then there is this one alone."""
    assert len(list_versions(None, access)) == 1


def test_every_lasting_right_is_taken_away(access: Access) -> None:
    """Each right to read or write, for some selector; those that only a start needs are not."""
    chosen = {access.select(number / 1000) for number in range(1000)}
    assert chosen == {right for right in access.rights if right.operation in {"Read", "Write"}}
    assert len(chosen) == 9
