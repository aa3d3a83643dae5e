"""Warns of reports that wait for their sent events only because the provider writes the id in another form.

A message with the same id but for its case, leading zeros or the like is followed; `ID_FORM` would bring them together.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import structlog

from bridge.core.attempt import Followed
from bridge.core.entries import AttemptKey
from bridge.core.errors import StoreCorruptedError
from bridge.core.id_forms import list_variants
from bridge.kafka.partitioner import partition_for
from bridge.state.ownership import OwnedPartitions

INTERVAL = 10.0
"""Seconds between two looks."""

MAX_LOOKED_AT = 20
"""How many of a partition's parked attempts are looked at."""

log = structlog.get_logger(__name__)


class IdHints:
    """Looks at parked attempts of this process's partitions.

    Args:
        owned: The partitions.
        settings: The name of each account's `ID_FORM`, by `provider:account`.
    """

    def __init__(self, owned: OwnedPartitions, settings: Mapping[str, str]) -> None:
        self._owned = owned
        self._settings = dict(settings)
        """Of the accounts that there was no warning of yet."""

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            with suppress(StoreCorruptedError):  # the tracker rebuilds the store
                self.look()

    def look(self) -> None:
        """Warn of each account once."""
        stores = {owned.number: owned.store for owned in self._owned if owned.caught_up}
        for store in stores.values():
            for key in store.oldest_parked(MAX_LOOKED_AT):
                attempt = AttemptKey.parse(key)
                if attempt.full_account not in self._settings:
                    continue
                for form, other in list_variants(attempt.provider_message_id):
                    variant = str(attempt._replace(provider_message_id=other))
                    holder = stores.get(partition_for(variant.encode(), self._owned.total))
                    known = holder.get([variant])[0] if holder and variant != key else None
                    if known and isinstance(known.state, Followed):
                        self._warn(attempt, form, other)
                        break

    def _warn(self, attempt: AttemptKey, form: str, other: str) -> None:
        log.warning(
            "a report waits for its sent event, and a message with a similar id is followed; is ID_FORM missing?",
            provider=attempt.provider,
            account=attempt.account,
            reported=attempt.provider_message_id,
            followed=other,
            form=form,
            setting=self._settings.pop(attempt.full_account),
        )
