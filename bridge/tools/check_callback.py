"""`sms-bridge check --callback FILE`: how a provider's callback would be read, report by report.

Nothing is sent, and Kafka isn't needed. Secrets, signatures and addresses aren't checked: a capture seldom has them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.text import Text

from bridge.accounts import ProviderAccount, build_accounts
from bridge.clock import now_ms
from bridge.core.entries import Part, Report
from bridge.core.errors import ConfigurationError, PoisonMessageError, UnsupportedMediaTypeError
from bridge.core.timestamps import format_rfc3339
from bridge.http_server.messages import BodyIncompleteError, BodyTooLargeError
from bridge.privacy import Privacy
from bridge.providers.dialect import UnreadableReport
from bridge.settings.model import Settings
from bridge.text import format_count
from bridge.tools.callback_capture import parse_capture
from bridge.tools.output import ExitCode, make_table, stdout_console, style_text, write_json
from bridge.tools.replay_parser import drop_signatures

NOT_CHECKED = "Not checked: the secret in the path, other credentials, the signature and the sender's address."


class ReportReading(NamedTuple):
    """How a report is read, and what becomes of it."""

    id: str | None
    provider_status: str | None
    status: str | None
    reason: str | None
    permanent: bool | None
    code: str | None
    time: str | None
    part: str | None
    details: dict[str, str]
    published: bool
    final: bool
    verdict: str


class CallbackReadout(NamedTuple):
    """How a callback is read."""

    verdict: str
    reports: Sequence[ReportReading] = ()
    remark: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether each report of it says something."""
        return bool(self.reports) and all(report.status for report in self.reports)


def explain_callback(settings: Settings, file: Path, provider: str, account_name: str, *, as_json: bool) -> ExitCode:
    """Show how a callback would be read.

    Args:
        settings: The accounts.
        file: A file that holds its body, or an HTTP request.
        provider: The provider that it is from.
        account_name: The account at the provider.
        as_json: As a document.

    Raises:
        ConfigurationError: The file can't be read, or there is no such account.
    """
    if not file.is_file():
        raise ConfigurationError(f"--callback {file} can't be read: give the path of a file that holds one callback")
    accounts = build_accounts(drop_signatures(settings))
    if (provider, account_name) not in accounts:
        names = ", ".join(account.full_name for account in accounts.values())
        raise ConfigurationError(f"--provider {provider} --account {account_name} isn't configured; there is {names}")
    readout = read_out(accounts[provider, account_name], settings, file.read_bytes())
    if as_json:
        write_json({"readable": readout.is_fine, **readout._asdict(), "not_checked": NOT_CHECKED})
    else:
        _show(readout)
    return ExitCode.FINE if readout.is_fine else ExitCode.WRONG


def read_out(account: ProviderAccount, settings: Settings, content: bytes) -> CallbackReadout:
    """Read a callback as the service would."""
    methods = account.access.methods if account.access else ("POST",)
    try:
        callback = parse_capture(content, methods)
        if callback.method not in methods:
            return CallbackReadout(f"is answered 405: {account.name_variable('METHODS')} is {','.join(methods)}")
        reading = account.dialect.read_callback(callback, now_ms())
    except (UnsupportedMediaTypeError, BodyTooLargeError) as error:
        return CallbackReadout(f"is refused: {str(error) or 'it is too large'}")
    except BodyIncompleteError:
        return CallbackReadout("is answered 400: the body isn't what Content-Encoding says, or it ends too early")
    except PoisonMessageError as poison:
        return CallbackReadout(f"goes to the dead letters as {poison.reason.value}: {poison.error}")
    if not reading:
        return CallbackReadout("is accepted and ignored: it isn't about an SMS's delivery, or WHERE turns it down")
    reports = [_read_report(one, account, settings) for one in reading]
    times = account.dialect.times
    remark = f"A time can't be read: {times.last_unread!r}; TIME_FORMAT says its form." if times.unread else ""
    return CallbackReadout(f"has {format_count(len(reports), 'report')}", reports, remark)


def _read_report(one: Report | UnreadableReport, account: ProviderAccount, settings: Settings) -> ReportReading:
    if isinstance(one, UnreadableReport):
        verdict = f"goes to the dead letters as {one.error.reason.value}: {one.error.error}"
        return ReportReading(
            None, None, None, None, None, None, None, None, {}, published=False, final=False, verdict=verdict
        )
    report = Privacy(settings.privacy).redact_report(one, account.dialect.known_paths)
    final = bool(report.verdict and report.verdict.final)
    published = report.verdict is not None and (final or settings.follow.emit == "all")
    return ReportReading(
        report.provider_message_id,
        report.provider_status,
        report.status,
        report.reason,
        report.permanent,
        report.provider_code,
        None if report.provider_time is None else format_rfc3339(report.provider_time),
        f"{report.part.name} of {report.part.total}" if isinstance(report.part, Part) else None,
        report.provider_details,
        published,
        final,
        _judge(report, account, final=final, published=published),
    )


def _judge(report: Report, account: ProviderAccount, *, final: bool, published: bool) -> str:
    if report.status is None:
        return f"nothing is published: {account.name_variable('STATUSES')} has no {report.provider_status!r}"
    if not published:
        return "nothing is published: FOLLOW__EMIT is final"
    after = " when all parts are" if final and isinstance(report.part, Part) else ""
    return f"{report.status.value}, {'final' if final else 'not final'}, is published{after}"


def _show(readout: CallbackReadout) -> None:
    out = stdout_console()
    for number, report in enumerate(readout.reports, 1):
        out.print(Text(f"Report {number}", "bold"))
        if report.id is not None:
            out.print(make_table(("ours", "value"), _list_members(report)))
        out.print(style_text(report.verdict[:1].upper() + report.verdict[1:] + ".", "ok" if report.status else "wrong"))
        out.print()
    out.print(style_text(f"The callback {readout.verdict}.", "ok" if readout.is_fine else "wrong"))
    if readout.remark:
        out.print(style_text(readout.remark, "warning"))
    out.print(Text(NOT_CHECKED, "dim"))


def _list_members(report: ReportReading) -> Iterable[tuple[str, str | Text]]:
    members: dict[str, Any] = {
        "provider_message_id": report.id,
        "provider_status": report.provider_status,
        "status": report.status,
        "reason": report.reason,
        "permanent": None if report.permanent is None else str(report.permanent).lower(),
        "provider_code": report.code,
        "time": report.time,
        "part": report.part,
        **report.details,
    }
    for name, value in members.items():
        yield name, Text("absent", "dim") if value is None else str(value)
