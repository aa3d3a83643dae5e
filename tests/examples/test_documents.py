"""The snippets of the documentation run as they are printed."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_typed_event_is_used_as_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever copies the snippet gets what it promises."""
    [snippet] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/consumers.md").read_text(), re.DOTALL)
    file = ROOT / "schemas/examples/sms.delivery.v1/valid/not-delivered-by-poll.json"
    exec(snippet, {"value": file.read_bytes()})  # noqa: S102 - it is our own
    event = json.loads(file.read_bytes())
    assert capsys.readouterr().out == f"{event['message_id']} may be tried again: {event['reason']}\n"


def test_links_within_the_documentation_lead_somewhere() -> None:
    """No page points to a file that is gone."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", link)
    ]
    assert links
    assert [f"{page}: {link}" for page, link in links if not (page.parent / link).exists()] == []
