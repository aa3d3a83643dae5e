"""`sms-bridge check`: everything that can be looked at before or beside the service, a line each, with the remedy."""

from collections.abc import AsyncIterator
from pathlib import Path

from bridge import logs
from bridge.core.errors import Misconfigured
from bridge.settings.accounts import build_accounts
from bridge.settings.loading import load_settings
from bridge.settings.model import Settings
from bridge.tools.check_kafka import look_at_kafka
from bridge.tools.check_providers import look_at_providers
from bridge.tools.check_settings import look_at_settings
from bridge.tools.findings import Finding
from bridge.tools.output import Exit, console, styled, table, write_json

REMEDY = "see docs/settings.md; nothing else was looked at"


async def check(env_file: Path | None, *, as_json: bool) -> Exit:
    """Look at everything. What depends on something broken isn't looked at."""
    logs.configure("error", "auto")
    findings = [finding async for finding in _findings(env_file)]
    wrong = sum(finding.level == "wrong" for finding in findings)
    if as_json:
        write_json({"ok": not wrong, "findings": findings})
    else:
        _show(findings, wrong)
    return Exit.WRONG if wrong else Exit.FINE


async def _findings(env_file: Path | None) -> AsyncIterator[Finding]:
    settings: Settings
    try:
        settings = load_settings(env_file=env_file)
        accounts = build_accounts(settings)
    except Misconfigured as error:
        for line in str(error).splitlines():
            name, _, told = line.partition(" ")
            yield Finding("settings", "wrong", name.rstrip(":"), told, REMEDY)
        return
    for finding in look_at_settings(settings):
        yield finding
    async for finding in look_at_kafka(settings):
        yield finding
    async for finding in look_at_providers(accounts):
        yield finding


def _show(findings: list[Finding], wrong: int) -> None:
    out = console()
    rows = [
        (
            finding.area,
            styled(finding.level, finding.level),
            finding.subject,
            finding.told + (f"; {finding.remedy}" if finding.remedy else ""),
        )
        for finding in findings
    ]
    out.print(table(("", "", "looked at", "found"), rows))
    warnings = sum(finding.level == "warning" for finding in findings)
    verdict = f"{wrong} wrong, {warnings} warnings" if wrong or warnings else "all is well"
    out.print(styled(f"\n{verdict}", "wrong" if wrong else "warning" if warnings else "ok"))
