"""The sandbox runs the release that the environment chooses, and no other."""

import pytest

from bridge.sandbox.kafka.installation import SandboxError, get_release
from bridge.sandbox.kafka.releases import DEFAULT_VERSION, VERSION_VARIABLE


def test_environment_chooses_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a choice, also an empty one as make leaves it, it is the newest."""
    monkeypatch.setenv(VERSION_VARIABLE, "")
    assert get_release().version == DEFAULT_VERSION
    monkeypatch.setenv(VERSION_VARIABLE, "3.7.2")
    assert get_release().version == "3.7.2"


def test_unknown_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt release must not pass as a test of the default one; the error lists the others."""
    monkeypatch.setenv(VERSION_VARIABLE, "3.7")
    with pytest.raises(SandboxError, match=r"KAFKA_VERSION 3\.7: no such release here; choose one of .*3\.7\.2"):
        get_release()
