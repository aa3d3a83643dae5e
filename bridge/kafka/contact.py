"""Whether the parts of a process hear from Kafka. They ask regularly: a client that is idle notices no loss."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import structlog
from aiokafka.errors import KafkaError

from bridge.core.errors import BridgeError
from bridge.core.timestamps import format_rfc3339
from bridge.kafka.errors import format_error

CHECK_INTERVAL = 1.0
"""Seconds between two looks at a part."""

ASK_INTERVAL, ASK_TIMEOUT = 5.0, 5.0
"""Seconds between an answer and the next question; seconds to wait for an answer."""

MAX_SILENCE = 30.0
"""Seconds without an answer after which a part has lost Kafka, or a partition its broker."""

CONSEQUENCES = ("Unable to update metadata",)
"""How the client library's messages begin that only follow from an error before."""

log = structlog.get_logger(__name__)


class ClientErrors(logging.Handler):
    """Remembers the client library's last error: often nothing else knows why there is no answer."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last, self._at = "", 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a record. Called by `logging`."""
        with suppress(Exception):  # as logging's own handlers do: a record that can't be formatted stops nobody
            text = record.getMessage()
            if not text.startswith(CONSEQUENCES):
                self._last, self._at = text, time.monotonic()

    def find_since(self, moment: float) -> str:
        """Return the last error since a moment of the monotonic clock, or nothing."""
        return self._last if self._at >= moment else ""


class ContactRules(NamedTuple):
    """How a part hears from Kafka."""

    ask: Callable[[], Awaitable[None]]
    """Asks Kafka something over the part's own clients; raises when there is no answer."""
    is_blocked: Callable[[], bool] = lambda: False
    """Tells at once that Kafka doesn't take what the part gives it."""
    count_refused: Callable[[], float] = lambda: 0
    """Returns how many callbacks the part has refused because Kafka was away."""


class Contact:
    """One part's contact with Kafka.

    Args:
        part: The part's name.
        rules: How it hears from Kafka.
        client_errors: The client library's last error.
    """

    def __init__(self, part: str, rules: ContactRules, client_errors: ClientErrors) -> None:
        self.part, self._rules, self._client_errors = part, rules, client_errors
        self._answered_at = time.monotonic()
        self._lost: tuple[float, float] | None = None
        self._error = ""

    @property
    def connected(self) -> bool:
        """Whether Kafka answers."""
        return time.monotonic() - self._answered_at < MAX_SILENCE and not self._rules.is_blocked()

    async def watch(self) -> None:
        """Ask until cancelled. A loss is logged once, with the reason, and so is its end."""
        asked_at = 0.0
        while True:
            if time.monotonic() - asked_at >= ASK_INTERVAL:
                await self._ask()
                asked_at = time.monotonic()
            self._note_change()
            await asyncio.sleep(CHECK_INTERVAL)

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(ASK_TIMEOUT):
                await self._rules.ask()
        except (KafkaError, OSError, BridgeError) as error:
            self._error = "" if isinstance(error, TimeoutError) else format_error(error)
        else:
            self._answered_at, self._error = time.monotonic(), ""

    def _note_change(self) -> None:
        now = time.monotonic()
        if self._lost is None and not self.connected:
            self._lost = self._answered_at, self._rules.count_refused()
            error = self._client_errors.find_since(self._answered_at) or self._error or "no answer in time"
            since = format_rfc3339(round((time.time() - now + self._answered_at) * 1000))
            log.error("Kafka doesn't answer", part=self.part, since=since, error=error)
        elif self._lost and self.connected:
            since_moment, refused = self._lost
            log.warning(
                "Kafka answers again",
                part=self.part,
                seconds=round(now - since_moment, 1),
                callbacks_refused=round(self._rules.count_refused() - refused) or None,
            )
            self._lost = None


def make_contacts(rules: Mapping[str, ContactRules], gauge: Any) -> dict[str, Contact]:
    """Make the contacts of parts, by name.

    Args:
        rules: How each part hears from Kafka.
        gauge: The metric of whether each one does.
    """
    client_errors = ClientErrors()
    logging.getLogger("aiokafka").addHandler(client_errors)
    contacts = {part: Contact(part, rule, client_errors) for part, rule in rules.items()}
    for part, contact in contacts.items():
        gauge.labels(part).set_function(partial(getattr, contact, "connected"))
    return contacts
