"""The presets: callbacks as the providers' documentation has them, in invented words and numbers (`presets.json`)."""

import hmac
import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from bridge.accounts import ProviderAccount
from bridge.core.delivery import OUTCOMES, Outcome, Status
from bridge.core.entries import Report
from bridge.core.errors import ConfigurationError, InvalidSignatureError
from bridge.core.json_pointer import parse_pointer
from bridge.providers.dialect import Callback, UnreadableReport
from bridge.providers.presets import list_presets, load_preset
from bridge.providers.report_builder import normalize_status
from bridge.settings.providers import WebhookSettings
from tests.support.paths import ROOT
from tests.support.settings import accounts

CASES: list[dict[str, Any]] = json.loads((ROOT / "tests/support/providers/presets.json").read_text(encoding="utf-8"))
OBSERVED_AT = 1_741_100_000_000
SECRET = "secret-of-the-path-01"
ONLY_FINAL = {"smsglobal", "bandwidth", "aliyun", "tencentcloud", "gupshup"}
"""Presets of providers that report only the end."""


def account_of(preset: str, **settings: str) -> ProviderAccount:
    """Build an account by a preset, and settings of its own."""
    members = {"PRESET": preset, "CALLBACK_SECRETS": SECRET, **settings}
    built = accounts(**{f"WEBHOOKS__THEIRS__{name}": value for name, value in members.items()})
    return built["theirs", "default"]


def read(account: ProviderAccount, case: Mapping[str, Any]) -> Iterable[Report]:
    """Read the callback of a case."""
    source = case["callback"]
    callback = Callback(source["method"], source["query"], source["content_type"], source["body"].encode())
    for report in account.dialect.read_callback(callback, OBSERVED_AT):
        assert not isinstance(report, UnreadableReport), report.error
        yield report


def describe(report: Report) -> list[Any]:
    """List what a case expects of a report."""
    verdict = (report.status, report.reason, report.permanent)
    return [report.provider_message_id, *verdict, report.provider_code, report.provider_time is not None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['preset']}: {case['name']}")
def test_a_callback_is_read_by_its_preset_alone(case: Mapping[str, Any]) -> None:
    """The preset and a secret are all that a user sets."""
    account = account_of(case["preset"])
    assert account.access is not None
    assert case["callback"]["method"] in account.access.methods
    assert [describe(report) for report in read(account, case)] == case["expect"]


@pytest.mark.parametrize("preset", list_presets())
def test_every_preset_has_its_samples(preset: str) -> None:
    """One of a delivered message, one of a failed one, and one in between if the provider reports any."""
    statuses = {Status(row[1]) for case in CASES if case["preset"] == preset for row in case["expect"]}
    outcomes = {OUTCOMES[status] for status in statuses}
    assert outcomes >= {Outcome.DELIVERED, Outcome.NOT_DELIVERED}
    assert (Outcome.IN_PROGRESS in outcomes) is (preset not in ONLY_FINAL)


@pytest.mark.parametrize("preset", list_presets())
def test_every_word_of_a_preset_has_a_meaning(preset: str) -> None:
    """Whatever its case is; and no two words are the same in another case."""
    known = load_preset(preset)
    settings = WebhookSettings.model_validate({"preset": preset, **known.settings})
    assert settings.list_missing() == []
    assert all(source.startswith(("https://", "http://")) for source in known.sources)
    assert known.sources
    assert len({normalize_status(word) for word in settings.statuses}) == len(settings.statuses)
    assert (preset in ONLY_FINAL) is all(verdict.final for verdict in settings.statuses.values())
    dialect = account_of(preset, ID="/i", STATUS="/s", REPORTS="").dialect
    for word, verdict in settings.statuses.items():
        for written in (word, word.lower(), word.upper()):
            document = {"i": "1", "s": written}
            for pointer, values in settings.where.items():
                put(document, pointer, values[0])
            callback = Callback("POST", "", "application/json", json.dumps([document]).encode())
            [report] = dialect.read_callback(callback, OBSERVED_AT)
            assert isinstance(report, Report)
            assert report.verdict == verdict


def put(document: dict[str, Any], pointer: str, value: str) -> None:
    """Put a value where a pointer leads to."""
    *steps, last = parse_pointer(pointer)
    for step in steps:
        document = document.setdefault(step, {})
    document[last] = value


def test_settings_overrule_a_preset() -> None:
    """Member by member, and of tables row by row."""
    case = next(case for case in CASES if case["preset"] == "twilio" and case["expect"][0][1] == "undelivered")
    changes = {"CODES": '{"30003":{"reason":"network"}}', "STATUSES": '{"Undelivered":"failed"}', "ID": "/AccountSid"}
    [report] = read(account_of("twilio", **changes), case)
    assert (report.provider_message_id[:2], report.status, report.reason) == ("AC", Status.FAILED, "network")
    delivered = next(case for case in CASES if case["preset"] == "twilio" and case["expect"][0][1] == "delivered")
    [report] = read(account_of("twilio", **changes), delivered)
    assert report.status is Status.DELIVERED


def test_a_secret_is_all_that_a_signature_needs() -> None:
    """The preset has the rest, also for a named account with a secret of its own."""
    body = b"MessageUUID=7&Status=delivered"
    path = f"/dlr/theirs/{SECRET}"
    signature = b64encode(hmac.digest(b"auth-token-of-main-01", f"https://sms.example{path}n-1".encode(), "sha256"))
    headers = {
        "host": "sms.example",
        "x-plivo-signature-v2": signature.decode(),
        "x-plivo-signature-v2-nonce": "n-1",
    }
    callback = Callback("POST", "", "application/x-www-form-urlencoded", body, headers, path)
    own = account_of("plivo", SIGNATURE__SECRET="auth-token-of-main-01")
    named = accounts(
        WEBHOOKS__THEIRS__PRESET="plivo",
        WEBHOOKS__THEIRS__CALLBACK_SECRETS="another-secret-of-path",
        WEBHOOKS__THEIRS__ACCOUNTS__SUB__CALLBACK_SECRETS=SECRET,
        WEBHOOKS__THEIRS__ACCOUNTS__SUB__SIGNATURE__SECRET="auth-token-of-main-01",
        WEBHOOKS__THEIRS__ACCOUNTS__SUB__STATUSES='{"queued":"sent"}',
    )["theirs", "sub"]
    for account in (own, named):
        assert len(account.dialect.read_callback(callback, OBSERVED_AT)) == 1
        with pytest.raises(InvalidSignatureError):
            account.dialect.read_callback(replace(callback, body=body, path="/dlr/theirs/other"), OBSERVED_AT)


def test_a_preset_may_be_that_of_named_accounts_alone() -> None:
    """Without further settings, it describes no account `default`, which would need a secret."""
    named = {f"WEBHOOKS__THEIRS__ACCOUNTS__{name}__CALLBACK_SECRETS": f"secret-of-account-{name}" for name in "AB"}
    assert accounts(WEBHOOKS__THEIRS__PRESET="twilio", **named).keys() >= {("theirs", "a"), ("theirs", "b")}
    assert ("theirs", "default") not in accounts(WEBHOOKS__THEIRS__PRESET="twilio", **named)
    with pytest.raises(ConfigurationError, match="SMS_BRIDGE_WEBHOOKS__THEIRS__CALLBACK_SECRETS is missing"):
        accounts(WEBHOOKS__THEIRS__PRESET="twilio", WEBHOOKS__THEIRS__GIVE_UP_AFTER="1h", **named)


def test_an_unknown_preset_is_named() -> None:
    """The error names the variable and the presets that exist."""
    with pytest.raises(ConfigurationError, match=r"SMS_BRIDGE_WEBHOOKS__MY_ONE__PRESET should be one of 46elks, "):
        accounts(WEBHOOKS__MY_ONE__PRESET="nexmo", WEBHOOKS__MY_ONE__CALLBACK_SECRETS=SECRET)


@pytest.mark.parametrize("preset", list_presets())
def test_a_misspelt_preset_is_recognized(preset: str) -> None:
    """As `init` does: with a letter too many, or in capitals."""
    for misspelt in (f"{preset[:-1]}{preset[-2:]}", preset.upper()):
        with pytest.raises(ConfigurationError, match=f"; did you mean {preset}\\?$"):
            accounts(WEBHOOKS__MY_ONE__PRESET=misspelt, WEBHOOKS__MY_ONE__CALLBACK_SECRETS=SECRET)
