"""The dialect of providers that settings alone describe: pointers into their callbacks, and meanings of their statuses.

A provider that needs more than these settings gets a dialect of its own.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Self

from bridge.core.delivery import Source
from bridge.core.entries import Report
from bridge.core.errors import PoisonMessageError
from bridge.core.json_pointer import SelectItem, Steps, find_value, parse_pointer, select_by_index
from bridge.providers.callback_document import CallbackDocument, open_callback, read_reports
from bridge.providers.dialect import Callback, CallbackReading
from bridge.providers.member_paths import make_path
from bridge.providers.parsing import make_unreadable_error, parse_id, parse_json, parse_optional
from bridge.providers.report_builder import ReportBuilder, ReportedFields, normalize_status
from bridge.providers.report_rules import NO_RULES, ReportRules
from bridge.providers.signatures import SignatureChecker, SignatureScheme


class CallbackPointers(NamedTuple):
    """JSON pointers (RFC 6901) to the fields of a report; `/name` for a form's field. None for one that it lacks."""

    id: str
    status: str
    error: str | None = None
    time: str | None = None
    part: str | None = None
    parts: str | None = None


class ReportPointer(NamedTuple):
    """A parsed pointer to a field of a report."""

    steps: Steps
    is_absolute: bool
    """Whether it begins at the top of the callback, written as `//`, instead of at the report."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a pointer; an empty one leads to the whole."""
        is_absolute = text.startswith("//")
        return cls(parse_pointer(text[is_absolute:]) if text else (), is_absolute)

    def find(self, report: Any, document: CallbackDocument, select_item: SelectItem | None = None) -> Any:
        """Find a field, in the callback's query if it isn't in its body; None if it is missing.

        Args:
            report: The report.
            document: What it is in.
            select_item: How to step into a list; by default, only into a list of one.

        Raises:
            PoisonMessageError: Several reports have one, or text on the way isn't the JSON that it seems to be.
        """
        root, select = document.content if self.is_absolute else report, select_item or _select_only_item
        value = find_value(root, self.steps, select, _parse_text)
        return find_value(document.query, self.steps, select, _parse_text) if value is None else value


class GenericWebhook:
    """An account at a provider that settings describe. Implements `Dialect`.

    Args:
        provider: The provider's name.
        account: The account's name in settings.
        pointers: Pointers to the fields of a report.
        reports: The pointer to a callback's array of reports, empty for the callback itself; None if it is one report.
        details: The published name of each detail, with a pointer to it.
        where: Pointers with allowed values; a report with any other value is ignored.
        signature: How callbacks are signed; None if they aren't.
        rules: What settings say about its reports.
    """

    def __init__(
        self,
        provider: str,
        account: str,
        *,
        pointers: CallbackPointers,
        reports: str | None = None,
        details: Mapping[str, str] = {},
        where: Mapping[str, tuple[str, ...]] = {},
        signature: SignatureScheme | None = None,
        rules: ReportRules = NO_RULES,
    ) -> None:
        self.provider, self.account = provider, account
        self._reports = None if reports is None else ReportPointer.parse(reports)
        self._pointers = {name: ReportPointer.parse(text) for name, text in pointers._asdict().items() if text}
        self._details = {name: ReportPointer.parse(text) for name, text in details.items()}
        self._where = [
            (ReportPointer.parse(text), {normalize_status(value) for value in values}) for text, values in where.items()
        ]
        self._id = self._pointers.pop("id")
        outer_steps = self._reports.steps if self._reports else ()
        self.known_paths = frozenset({make_path(self._id.steps), make_path((*outer_steps, *self._id.steps))})
        self._signature = SignatureChecker(signature) if signature else None
        self._report_builder = ReportBuilder(
            provider,
            account,
            normalize=normalize_status,
            rules=rules,
        )
        self.times = self._report_builder.times

    def __repr__(self) -> str:
        return f"GenericWebhook(provider={self.provider!r}, account={self.account!r})"

    def read_callback(self, callback: Callback, observed_at: int) -> CallbackReading:
        """Parse a callback; a report that `where` excludes is left out.

        Raises:
            InvalidSignatureError: Callbacks are signed, and the signature is wrong, missing or too old.
            UnsupportedMediaTypeError: It is in a form that isn't read.
            PoisonMessageError: It can't be parsed at all.
        """
        if self._signature:
            callback = self._signature.check(callback, observed_at)
        document = open_callback(callback)

        def read(report: Any, raw: str) -> Report | None:
            return self._read_report(report, raw, document, observed_at)

        if self._reports is None:
            return read_reports(callback, document, None, lambda report: report, read)
        elements = self._reports.find(document.content, document)
        if isinstance(elements, str):
            elements = _parse_text(elements)
        if elements is None:
            raise make_unreadable_error("the callback has no array of reports where REPORTS points to")
        steps = self._reports.steps
        reports = elements if isinstance(elements, list) else [elements]
        return read_reports(callback, document, reports, lambda report: _replace(document.content, steps, report), read)

    def _read_report(self, report: Any, raw: str, document: CallbackDocument, observed_at: int) -> Report | None:
        for pointer, allowed in self._where:
            if normalize_status(str(pointer.find(report, document))) not in allowed:
                return None
        message_id = parse_id(self._id.find(report, document))
        fields = find_fields(report, document, self._pointers, self._details)
        return self._report_builder.build(message_id, fields, raw=raw, source=Source.CALLBACK, observed_at=observed_at)


def find_fields(
    report: Any, document: CallbackDocument, pointers: Mapping[str, ReportPointer], details: Mapping[str, ReportPointer]
) -> ReportedFields:
    """Find the fields of a report.

    Args:
        report: The report.
        document: What it is in.
        pointers: Pointers to the fields, by name.
        details: The published name of each detail, with a pointer to it.
    """
    # A report has one id and one status, or it would be several reports. It may well have several errors.
    values = {
        name: pointer.find(report, document, None if name == "status" else select_by_index)
        for name, pointer in pointers.items()
    }
    texts = {name: parse_optional(pointer.find(report, document, select_by_index)) for name, pointer in details.items()}
    return ReportedFields(
        values.get("status"),
        values.get("error"),
        values.get("time"),
        {name: text for name, text in texts.items() if text is not None},
        values.get("part"),
        values.get("parts"),
    )


def _parse_text(text: str) -> Any:
    parsed = _parse_text_once(text)
    if isinstance(parsed, PoisonMessageError):
        raise parsed
    return parsed


@lru_cache(8)  # several pointers, or those of several reports, may lead into one text
def _parse_text_once(text: str) -> Any:
    """Parse text that may be JSON; return the error if it only seems to be."""
    try:
        return parse_json(text) if text.lstrip()[:1] in {"{", "["} else None
    except PoisonMessageError as poison:
        return PoisonMessageError(poison.reason, poison.error)  # a new one, which holds no frames


def _select_only_item(items: list[Any], step: str) -> Any:
    """Select the item of a list of one.

    Raises:
        PoisonMessageError: The list holds several reports: reading one of them would lose the others.
    """
    if len(items) > 1:
        raise make_unreadable_error("the callback has several reports; REPORTS can point to their array")
    return items[0] if items and step == "0" else None


def _replace(document: Any, steps: Steps, report: Any) -> Any:
    """Copy a document, with one report for the array that the steps lead to."""
    if not steps:
        return [report]
    if isinstance(document, str):
        document = _parse_text(document)
    if isinstance(document, list) and document:
        return [_replace(document[0], steps[1:], report)]
    members = document if isinstance(document, dict) else {}
    return {**members, steps[0]: _replace(members.get(steps[0]), steps[1:], report)}
