"""Missing packages are listed before the tests run."""

from pathlib import Path

import pytest

from scripts.missing_packages import NEEDS, main


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH, empty at first."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(folder: Path, *names: str) -> None:
    """Put programs into a folder."""
    for name in names:
        (folder / name).touch(0o755)


def test_each_missing_package_has_a_line(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has the package's name and what is skipped without it."""
    install(programs, "openssl", "node", "npm", "mvn", "psql", "initdb", "kcat", "promtool", "google-chrome")
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["prometheus", "chromium-driver"]
    assert lines[1].endswith("skipped without it: the status page in a browser")
    main(["--names"])
    assert capsys.readouterr().out.split() == ["prometheus", "chromium-driver"]


def test_nothing_missing_prints_nothing(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a complete machine there is no output."""
    install(programs, *(names[0] for need in NEEDS for names in need.programs))
    main([])
    main(["--names"])
    assert capsys.readouterr().out == ""
