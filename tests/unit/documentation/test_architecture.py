"""What docs/architecture.md, docstrings and comments say of the code's files is true."""

import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from bridge.tracker.restarts import RESTARTS
from tests.support.paths import ROOT

ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
MODULES = sorted((ROOT / "bridge").rglob("*.py"))
FILES = {
    f"/{path.relative_to(ROOT)}" for folder in ("bridge", "scripts", "tests") for path in (ROOT / folder).rglob("*.py")
}
MENTION = re.compile(r"(?<![\w./-])[\w/]+\.py\b")


def find_texts() -> Iterator[tuple[str, str]]:
    """Yield each docstring, string and comment, with its file."""
    for path in MODULES:
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type in {tokenize.STRING, tokenize.COMMENT}:
                yield str(path.relative_to(ROOT)), token.string
    yield "docs/architecture.md", ARCHITECTURE


MENTIONS = sorted({(file, name) for file, text in find_texts() for name in MENTION.findall(text)})


@pytest.mark.parametrize(("file", "name"), MENTIONS)
def test_mentioned_files_exist(file: str, name: str) -> None:
    """A reader who follows a name finds the file."""
    assert any(path.endswith(f"/{name}") for path in FILES), f"{file} mentions {name}"


def test_mentions_are_found() -> None:
    """The pattern finds some in code and in the documentation."""
    assert len(MENTIONS) > 100
    assert ("bridge/state/store.py", "keys.py") in MENTIONS


def test_causes_of_restarts_are_listed() -> None:
    """All labels of the metric."""
    [listed] = re.findall(r"`cause` in `workers_restarted_total`:(.+?)\.", ARCHITECTURE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == {restart.cause for restart in RESTARTS.values()}
