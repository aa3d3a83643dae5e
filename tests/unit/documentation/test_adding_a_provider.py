"""A dialect is added by the steps of docs/adding-a-provider.md alone, and the rest of the service works with it."""

import asyncio
from typing import Any

import pytest
from pydantic import Field

from bridge.accounts import build_accounts
from bridge.core.delivery import Reason, Source, Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import ConfigurationError
from bridge.dead_letters import DeadLetter, HttpSource
from bridge.dialects import BUILDERS
from bridge.providers.callback_document import list_of_one, list_reports, open_callback, read_reports
from bridge.providers.dialect import Callback, CallbackReading, PollAnswer, PollRequest
from bridge.providers.parsing import decode_text, find_first, parse_id, parse_json, read_members
from bridge.providers.report_builder import FieldNames, ReportBuilder, find_fields, list_known_paths, normalize_status
from bridge.providers.report_rules import NO_RULES, ReportRules
from bridge.providers.responses import check_status
from bridge.settings.model import Settings
from bridge.settings.providers import PolledAccountSettings
from bridge.settings.secrets import Credential
from bridge.tools.check_providers import check_providers
from bridge.tools.replay_parser import ReplayOutcome, ReplayParser
from tests.support.tcp_server import TcpServer

STATUSES = {
    "on its way": Verdict(Status.SENT),
    "arrived": Verdict(Status.DELIVERED),
    "lost": Verdict(Status.UNDELIVERED, Reason.UNSPECIFIED),
}
FIELD_NAMES = FieldNames(id=("ref",), status=("state",), error=("why",), time=("at",))


class Acme:
    """Step 1: `bridge/providers/acme.py`."""

    provider = "acme"
    known_paths = list_known_paths(FIELD_NAMES)

    def __init__(self, account: str, *, base_url: str = "", key: str = "", rules: ReportRules = NO_RULES) -> None:
        self.account, self._base_url, self._key = account, base_url, key
        self._report_builder = ReportBuilder(
            "acme", account, statuses=STATUSES, normalize=normalize_status, rules=rules
        )
        self.times = self._report_builder.times

    def read_callback(self, callback: Callback, observed_at: int) -> CallbackReading:
        """Read each report of a callback."""
        document = open_callback(callback)

        def read(report: Any, raw: str) -> Report:
            members = read_members(report, document.query)
            message_id, fields = parse_id(find_first(members, FIELD_NAMES.id)), find_fields(members, FIELD_NAMES, {})
            return self._report_builder.build(
                message_id, fields, raw=raw, source=Source.CALLBACK, observed_at=observed_at
            )

        return read_reports(callback, document, list_reports(document.content), list_of_one, read)

    def build_poll_request(self, provider_message_id: str) -> PollRequest:
        """Ask for a message."""
        return PollRequest("GET", f"{self._base_url}/messages/{provider_message_id}", {"X-Key": self._key}, None)

    def read_answer(self, answer: PollAnswer, provider_message_id: str, observed_at: int) -> Report | None:
        """Read the answer."""
        check_status(answer, observed_at)
        raw = decode_text(answer.body)
        return self._report_builder.build_from_answer(
            provider_message_id, read_members(parse_json(raw)), FIELD_NAMES, {}, raw=raw, observed_at=observed_at
        )


class AcmeAccountSettings(PolledAccountSettings):
    """Step 2: an account, in `bridge/settings/providers.py`."""

    signature_member = ""
    credentials = ("KEY",)

    key: Credential = None

    def list_missing_for_polls(self) -> list[str]:
        """List what polls require."""
        return [name for name, value in {"BASE_URL": self.base_url, "KEY": self.key}.items() if not value]


class AcmeSettings(AcmeAccountSettings):
    """Step 2: the provider, in the same file."""

    enabled: bool | None = None
    accounts: dict[str, AcmeAccountSettings] = Field(default_factory=dict)


class SettingsWithAcme(Settings):
    """Step 3: the field in `Settings`."""

    acme: AcmeSettings = AcmeSettings()


def build_acme(name: str, account: AcmeAccountSettings) -> Acme:
    """Step 4: the builder, in `bridge/dialects.py`."""
    key = account.key.get_secret_value() if account.key else ""
    return Acme(name, base_url=account.base_url, key=key, rules=ReportRules(account.statuses, account.codes))


@pytest.fixture(autouse=True)
def _builders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step 4: the row in `BUILDERS`."""
    monkeypatch.setitem(BUILDERS, "acme", build_acme)


def settings_with(**acme: Any) -> Settings:
    """Return settings that configure Acme."""
    return SettingsWithAcme.model_validate({"kafka": {"bootstrap_servers": "one:9092"}, "acme": acme})


def test_its_accounts_are_built() -> None:
    """The default one and the named ones; what is missing has its variable's name."""
    secrets = {"callback_secrets": "secret-of-acme-0123"}
    named = {"promo": {"callback_secrets": "secret-of-promo-012", "give_up_after": "1h"}}
    accounts = build_accounts(settings_with(**secrets, base_url="http://acme", key="k", accounts=named))
    assert list(accounts) == [("acme", "default"), ("acme", "promo")]
    polls = accounts["acme", "promo"].polls
    assert polls is not None
    assert polls.credentials == ("SMS_BRIDGE_ACME__ACCOUNTS__PROMO__KEY",)
    with pytest.raises(ConfigurationError, match="SMS_BRIDGE_ACME__KEY is missing"):
        build_accounts(settings_with(**secrets, base_url="http://acme"))
    with pytest.raises(ConfigurationError, match=r"SMS_BRIDGE_DEXATEL__\.\.\. or .* or SMS_BRIDGE_ACME__\.\.\. or "):
        build_accounts(settings_with())
    taken = SettingsWithAcme.model_validate(
        {"kafka": {"bootstrap_servers": "one:9092"}, "webhooks": {"acme": {"id": "/id"}}}
    )
    with pytest.raises(ConfigurationError, match="acme is a built-in provider"):
        build_accounts(taken)


async def test_check_names_its_credentials() -> None:
    """`sms-bridge check` asks the provider, and names the variables to look at."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"GET /messages/" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with TcpServer(refuse) as server:
        accounts = build_accounts(settings_with(base_url=f"http://127.0.0.1:{server.port}", key="k"))
        [finding] = [finding async for finding in check_providers(accounts)]
    assert (finding.level, finding.subject, finding.remedy) == ("wrong", "acme:default", "check SMS_BRIDGE_ACME__KEY")


def test_its_dead_letters_are_replayed() -> None:
    """A status that settings map by now is journaled."""
    http = HttpSource("POST", "/dlr/acme/{secret}", "application/json")
    settings = settings_with(callback_secrets="secret-of-acme-0123", poll="never", statuses='{"eaten":"rejected"}')
    for body, outcome in (
        (b'{"ref":"7","state":"Eaten","why":3}', ReplayOutcome.JOURNALED),
        (b'{"state":"arrived"}', ReplayOutcome.STILL_BAD),
    ):
        letter = DeadLetter("unreadable", "…", None, body, 1_741_100_000_000, None, http, "acme", "default")
        result = ReplayParser(settings).parse(letter, None, 1_741_100_000_000)
        assert result.outcome is outcome
    assert ReplayParser(settings).accounts["acme", "default"].dialect.provider == "acme"
