"""The route with which the status page browses dead letters: by reason, or one of them with its bytes."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from bridge.admin.page_responses import make_error, make_json
from bridge.admin.search_api import parse_parameters, parse_since
from bridge.admin.topic_reads import TopicReads
from bridge.clock import now_ms
from bridge.core.errors import DeadLetterReason
from bridge.core.timestamps import format_rfc3339
from bridge.dead_letters import NOT_REPLAYABLE, DeadLetter
from bridge.history.byte_view import MAX_SHOWN_BYTES, view_bytes
from bridge.history.dead_letter_search import (
    DeadLetterPosition,
    FoundLetters,
    list_dead_letters,
    position_of,
    read_dead_letter,
)
from bridge.http_server.messages import Request, Response
from bridge.privacy import Privacy
from bridge.settings.model import Settings
from bridge.text import escape_controls

MAX_LETTERS = 100

MAX_REASON_CHARS = 100

DEFAULT_SINCE = 7 * 86_400_000
"""Milliseconds."""

MEANINGS: Mapping[str, str] = {
    DeadLetterReason.MALFORMED: "A sent event isn't in the format that the settings name. The sender must correct it.",
    DeadLetterReason.INVALID: "A sent event doesn't identify a message, or has a member that can't be used.",
    DeadLetterReason.UNKNOWN_PROVIDER: "A sent event names a provider that isn't set up.",
    DeadLetterReason.UNKNOWN_ACCOUNT: "A sent event names an account that isn't set up.",
    DeadLetterReason.UNREADABLE: "A callback can't be read. Replay it once the provider's settings fit.",
    DeadLetterReason.UNMATCHED: "A report came, but its message's sent event didn't, or too late.",
    DeadLetterReason.PARKED_OVERFLOW: "Too many reports waited for their sent events. Check the sender.",
    DeadLetterReason.CONFLICT: "One provider's id was used for two messages.",
    DeadLetterReason.TOO_OLD: "A sent event came after its message's deadline.",
    DeadLetterReason.TOO_LARGE: "A sent event is larger than the journal takes.",
    DeadLetterReason.INTERNAL: "Nobody foresaw this input, or Kafka refuses it. Report it, with the record.",
}
"""What was wrong, by reason, for people; the runbook has more."""


class LetterReaders(NamedTuple):
    """What reads the dead-letter topic."""

    list_letters: Callable[[str, int, int], Awaitable[FoundLetters]]
    """By reason, since a time, at most so many."""
    read_letter: Callable[[DeadLetterPosition], Awaitable[DeadLetter | None]]


def make_letter_readers(settings: Settings) -> LetterReaders:
    """Make the readers for the topic of these settings."""
    return LetterReaders(
        lambda reason, since, limit: list_dead_letters(settings, reason, since, limit),
        lambda position: read_dead_letter(settings, position),
    )


class DeadLetterApi:
    """Answers about dead letters.

    Args:
        readers: Read the topic.
        reads: Runs one reading at a time.
        privacy: Redacts letters of a time when phone numbers were kept.
    """

    def __init__(self, readers: LetterReaders, reads: TopicReads, privacy: Privacy) -> None:
        self._readers, self._reads, self._privacy = readers, reads, privacy
        self.routes: Mapping[str, Callable[[Request], Awaitable[Response]]] = {"/api/dead-letters": self._serve}

    async def _serve(self, request: Request) -> Response:
        try:
            parameters = parse_parameters(request.query)
            since = parse_since(parameters.get("since", ""))
            position = DeadLetterPosition.parse(parameters["at"]) if "at" in parameters else None
        except ValueError as error:
            return make_error(str(error), 400)
        reason = parameters.get("reason", "")
        if len(reason) > MAX_REASON_CHARS:
            return make_error(f"a reason has at most {MAX_REASON_CHARS} characters", 400)

        async def read() -> Response:
            if position is None:
                earliest = now_ms() - DEFAULT_SINCE if since is None else since
                return make_json(self._show_list(await self._readers.list_letters(reason, earliest, MAX_LETTERS)))
            letter = await self._readers.read_letter(position)
            return make_json(self._show_letter(letter)) if letter else make_error(f"nothing is at {position}", 404)

        return await self._reads.answer(read, parameters.get("viewer", ""))

    def _show_list(self, found: FoundLetters) -> dict[str, Any]:
        since = format_rfc3339(max(0, found.since))
        after = f"--since {since}"
        return {
            "reasons": [
                {"reason": escape_controls(reason), "count": count, **_explain(reason, f"--reason {reason} {after}")}
                for reason, count in sorted(found.counts.items(), key=lambda one: (-one[1], one[0]))
            ],
            "letters": [self._show_row(letter, found.sizes[position_of(letter)]) for letter in found.letters],
            "left_out": found.left_out,
            "since": since,
            "records_read": found.read,
            "seconds": round(found.seconds, 3),
        }

    def _show_row(self, letter: DeadLetter, size: int) -> dict[str, Any]:
        return {
            "at": str(position_of(letter)),
            "reason": escape_controls(letter.reason),
            "error": escape_controls(self._privacy.redact_text(letter.error)),
            "received_at": format_rfc3339(letter.received_at),
            "provider": letter.provider,
            "account": letter.account,
            "from": letter.source.topic if letter.source else "callback" if letter.http else None,
            "size": size,
        }

    def _show_letter(self, letter: DeadLetter) -> dict[str, Any]:
        # Of a giant only the beginning is redacted, and shown.
        shown = letter.value[:MAX_SHOWN_BYTES]
        key, value = self._privacy.redact_original(letter.key, shown)
        is_cut = len(letter.value) > MAX_SHOWN_BYTES
        return {
            **self._show_row(letter, len(letter.value)),
            "headers": {
                name: escape_controls(self._privacy.redact_text(text)) for name, text in letter.headers.items()
            },
            "key": None if key is None else view_bytes(key)._asdict(),
            "value": view_bytes(value or b"")._replace(size=len(letter.value), shown=len(shown))._asdict(),
            "is_cut": is_cut,
            **_explain(letter.reason, f"--at {position_of(letter)}"),
        }


def _explain(reason: str, choice: str) -> dict[str, Any]:
    """What a reason means, and the command that replays what was chosen, or why none does."""
    if reason not in MEANINGS:
        return {"meaning": "Another program wrote this.", "replay": None, "why_not": "it isn't the bridge's"}
    why_not = NOT_REPLAYABLE.get(DeadLetterReason(reason))
    replay = None if why_not else f"sms-bridge replay {choice}"
    return {"meaning": MEANINGS[reason], "replay": replay, "why_not": why_not}
