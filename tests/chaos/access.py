"""How the bridges log in to Kafka, and what they may do there: with short-lived tokens or a password, and ACLs."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.sandbox.demo.delivery_consumer import RunNames
from tests.support.kafka import acls
from tests.support.kafka.acls import Right
from tests.support.kafka.oauth import allow_keys, format_listener
from tests.support.kafka.token_server import CLIENT_ID, REFUSED, TokenServer

USER, PASSWORD = "the-other-bridge", "password-of-the-chaos-suite"
LOGIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
PROTOCOL = "SASL_PLAINTEXT"

LONG_LIFETIME_SECONDS, SHORT_LIFETIME_SECONDS = 3_600, 40
"""How long tokens are valid: longer than a run; and so short that they expire all the time."""

OPERATIONS = {"Read", "Write"}
"""Rights that are needed all the time. The others are needed at a start, which says what it lacks and ends."""


class Access:
    """The token server and the ACLs of one run: `async with Access(...) as access`.

    Args:
        names: The run's topics and group.
        folder: For the keys of tokens.
        lifetime_seconds: How long tokens are valid.
    """

    def __init__(self, names: RunNames, folder: Path, lifetime_seconds: int) -> None:
        self._names, self._keys = names, folder / "keys.json"
        self._server = TokenServer()
        self._server.lifetime_seconds = lifetime_seconds
        defaults = {
            "sms.sent": names.sent,
            "sms.delivery": names.delivery,
            "sms-bridge.journal": names.journal,
            "sms-bridge.state": names.state,
            "sms-bridge.dead-letter": names.dead_letter,
            "sms-bridge": names.group,
        }
        self.rights = [right._replace(name=defaults[right.name]) for right in acls.documented()]
        """The documented ones, with the names of this run."""
        self.config = {**acls.CONFIG, "sasl.enabled.mechanisms": "PLAIN,OAUTHBEARER"}
        """The settings of every broker."""
        self.jvm = allow_keys(self._keys)
        """The option of every broker's JVM."""

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        await asyncio.to_thread(self._keys.write_bytes, self._server.public_keys())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, trace)

    def format_listener(self, name: str) -> dict[str, str]:
        """Return the settings of a broker's listener at which the bridges log in.

        Args:
            name: The listener's.
        """
        lower = name.lower()
        return {f"listener.name.{lower}.plain.sasl.jaas.config": LOGIN, **format_listener(lower, self._keys)}

    @property
    def token_settings(self) -> Mapping[str, str]:
        """The settings of a bridge that logs in with tokens."""
        return {
            "KAFKA__SECURITY_PROTOCOL": PROTOCOL,
            "KAFKA__SASL_MECHANISM": "OAUTHBEARER",
            **self._server.settings,
        }

    @property
    def password_settings(self) -> Mapping[str, str]:
        """The settings of a bridge that logs in with a password, as every version can."""
        return {
            "KAFKA__SECURITY_PROTOCOL": PROTOCOL,
            "KAFKA__SASL_MECHANISM": "PLAIN",
            "KAFKA__SASL_USERNAME": USER,
            "KAFKA__SASL_PASSWORD": PASSWORD,
        }

    def select(self, selector: float) -> Right:
        """Return one of the rights that a bridge needs all the time; the selector is from 0 to 1."""
        lasting = [right for right in self.rights if right.operation in OPERATIONS]
        return lasting[int(selector * len(lasting))]

    async def allow(self, servers: str, rights: Iterable[Right]) -> None:
        """Give the bridges rights."""
        await self._change(acls.allow, servers, rights)

    async def forbid(self, servers: str, rights: Iterable[Right]) -> None:
        """Take rights away from the bridges."""
        await self._change(acls.forbid, servers, rights)

    @contextmanager
    def refuse_tokens(self) -> Iterator[None]:
        """Let the token server refuse every request in this block."""
        self._server.reply = REFUSED
        try:
            yield
        finally:
            self._server.reply = None

    @staticmethod
    async def _change(change: Callable[[str, str, list[Right]], None], servers: str, rights: Iterable[Right]) -> None:
        changed = list(rights)
        for user in (CLIENT_ID, USER):
            await asyncio.to_thread(change, servers, user, changed)
