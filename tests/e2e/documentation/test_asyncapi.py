"""AsyncAPI's official parser accepts the description of the topics."""

import json
import shutil
from pathlib import Path
from typing import Any

from tests.support.documentation.runtimes import node_modules, run
from tests.support.paths import SCHEMAS

ERROR, WARNING = 0, 1
PARSE = """
import { Parser, fromFile } from "@asyncapi/parser";
const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
const channels = document?.allChannels().all().map((channel) => channel.address()) ?? [];
console.log(JSON.stringify({ channels, diagnostics }));
"""


async def parsed(folder: Path, description: Path) -> Any:
    """Parse a description, and return the topics and the parser's findings."""
    modules = await node_modules("@asyncapi/parser@3.6.3")
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(modules)
    (folder / "parse.mjs").write_text(PARSE)
    code, said = await run("node", "parse.mjs", str(description), cwd=folder)
    assert code == 0, said
    return json.loads(said.splitlines()[-1])


async def test_official_parser_accepts_the_document(tmp_path: Path) -> None:
    """The parser resolves all references and reports no warning or error."""
    found = await parsed(tmp_path, SCHEMAS / "asyncapi.yaml")
    assert [one for one in found["diagnostics"] if one["severity"] <= WARNING] == []
    assert set(found["channels"]) == {"sms.sent", "sms.delivery", "sms-bridge.journal", "sms-bridge.dead-letter"}


async def test_official_parser_finds_a_mistake(tmp_path: Path) -> None:
    """A broken reference is an error, so the test above can fail."""
    for file in SCHEMAS.glob("*.*"):
        shutil.copy(file, tmp_path)
    broken = tmp_path / "asyncapi.yaml"
    broken.write_text(broken.read_text().replace("#/components/messages/delivery", "#/components/messages/nowhere"))
    found = await parsed(tmp_path, broken)
    assert [one for one in found["diagnostics"] if one["severity"] == ERROR]
