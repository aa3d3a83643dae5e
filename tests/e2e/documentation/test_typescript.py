"""The types for TypeScript accept every valid event, and only those."""

import json
from pathlib import Path

from tests.support.documentation.runtimes import node_modules, run
from tests.support.paths import ROOT, SCHEMAS

CONSUMERS = ROOT / "examples" / "consumers"
PACKAGES = ("typescript@5.9.3", "@types/node@20.19.0", "kafkajs@2.2.4")
OPTIONS = ("--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck")
DECIDE = """
export function decide(event: SmsDelivery): string {
  switch (event.outcome) {
    case "in_progress": return "wait";
    case "delivered": return "done";
    case "not_delivered": return event.permanent ? "give up" : event.reason;
    case "unknown": return event.status;
  }
}
"""


async def check_types(folder: Path, *files: str) -> tuple[int, str]:
    """Run the compiler on files in a folder."""
    modules = await node_modules(*PACKAGES)
    (folder / "node_modules").symlink_to(modules)
    (folder / "sms-delivery.ts").write_text((CONSUMERS / "sms-delivery.ts").read_text())
    return await run("node", str(modules / "typescript" / "bin" / "tsc"), *OPTIONS, *files, cwd=folder)


async def test_every_valid_event_has_the_type(tmp_path: Path) -> None:
    """Also with a value of a later version, and all outcomes are known; a wrong type is an error."""
    events = [json.loads(path.read_text()) for path in sorted((SCHEMAS / "examples/sms.delivery.v1/valid").iterdir())]
    known = set(json.loads((SCHEMAS / "sms.delivery.v1.json").read_text())["required"])
    events = [{name: value for name, value in event.items() if name in known} for event in events]
    events.append({**events[0], "status": "a status of a later version"})
    lines = ['import type { SmsDelivery } from "./sms-delivery.js";', DECIDE]
    lines += [f"export const e{number}: SmsDelivery = {json.dumps(event)};" for number, event in enumerate(events)]
    for wrong in ({"outcome": "new"}, {"sequence": "1"}, {"sender": 1}, {"final": None}, {"metadata": None}):
        lines += ["// @ts-expect-error", f"export const x{len(lines)}: SmsDelivery = {json.dumps(events[0] | wrong)};"]
    (tmp_path / "events.ts").write_text("\n".join(lines))
    assert len(events) > 5
    assert await check_types(tmp_path, "events.ts") == (0, "")


async def test_the_example_uses_the_type(tmp_path: Path) -> None:
    """The JavaScript example has no error, and a misspelt member is one."""
    text = (CONSUMERS / "latest-status.mjs").read_text()
    (tmp_path / "example.mjs").write_text(text)
    assert await check_types(tmp_path, "--allowJs", "--checkJs", "example.mjs") == (0, "")
    (tmp_path / "example.mjs").write_text(text.replace("event.sequence", "event.sequnce"))
    (tmp_path / "node_modules").unlink()
    code, said = await check_types(tmp_path, "--allowJs", "--checkJs", "example.mjs")
    assert code
    assert "sequnce" in said
