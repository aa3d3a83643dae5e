"""`sms-bridge check`: everything that can be checked before or beside the service, a line each, with the remedy."""

from collections.abc import AsyncIterator
from pathlib import Path

from bridge.accounts import build_accounts
from bridge.core.errors import ConfigurationError
from bridge.observability import logs
from bridge.settings.loading import find_overridden, load_settings
from bridge.settings.model import Settings
from bridge.tools.check_finding import CheckFinding
from bridge.tools.check_kafka import check_kafka
from bridge.tools.check_providers import check_providers
from bridge.tools.check_registry import check_registry
from bridge.tools.check_settings import check_folder, list_settings
from bridge.tools.output import ExitCode, make_table, stdout_console, style_text, write_json

PAGE = "docs/settings.md"
REMEDY = "nothing else was checked"


async def check(env_file: Path | None, *, offline: bool, as_json: bool) -> ExitCode:
    """Check everything, except what depends on something broken; offline, only the settings."""
    logs.configure_logging("error", "auto")
    findings = [finding async for finding in _findings(env_file, offline=offline)]
    wrong = sum(finding.level == "wrong" for finding in findings)
    if as_json:
        write_json({"ok": not wrong, "findings": findings})
    else:
        _show(findings, wrong)
    return ExitCode.WRONG if wrong else ExitCode.FINE


async def _findings(env_file: Path | None, *, offline: bool) -> AsyncIterator[CheckFinding]:
    settings: Settings
    try:
        settings = load_settings(env_file=env_file)
        accounts = build_accounts(settings)
    except ConfigurationError as error:
        for line in str(error).splitlines():
            name, _, text = line.partition(" ")
            yield CheckFinding(
                "settings", "wrong", name.rstrip(":"), text, REMEDY if PAGE in text else f"see {PAGE}; {REMEDY}"
            )
        return
    for name, place in find_overridden(env_file).items():
        yield CheckFinding(
            "settings", "warning", name, f"the environment or a secret overrides {place}", "remove one of them"
        )
    for finding in list_settings(settings):
        yield finding
    if offline:
        return
    yield check_folder(settings.state.directory)
    async for finding in check_kafka(settings):
        yield finding
    if settings.registry.url:
        yield await check_registry(settings)
    async for finding in check_providers(accounts):
        yield finding


def _show(findings: list[CheckFinding], wrong: int) -> None:
    out = stdout_console()
    rows = [
        (
            finding.area,
            style_text(finding.level, finding.level),
            finding.subject,
            finding.told + (f"; {finding.remedy}" if finding.remedy else ""),
        )
        for finding in findings
    ]
    out.print(make_table(("", "", "checked", "found"), rows))
    warnings = sum(finding.level == "warning" for finding in findings)
    verdict = f"{wrong} wrong, {warnings} warnings" if wrong or warnings else "all is well"
    out.print()
    out.print(style_text(verdict, "wrong" if wrong else "warning" if warnings else "ok"))
