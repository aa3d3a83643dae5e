"""`check --callback`: how a callback would be read."""

from pathlib import Path

import orjson
import pytest

from bridge.accounts import build_accounts
from bridge.core.errors import ConfigurationError
from bridge.tools.check_callback import NOT_CHECKED, CallbackReadout, explain_callback, read_out
from bridge.tools.output import ExitCode
from bridge.tools.replay_parser import drop_signatures
from tests.support.settings import settings_of

ACME = {
    "WEBHOOKS__ACME__CALLBACK_SECRETS": "secret-of-acme-0123",
    "WEBHOOKS__ACME__REPORTS": "/reports",
    "WEBHOOKS__ACME__ID": "/id",
    "WEBHOOKS__ACME__STATUS": "/s",
    "WEBHOOKS__ACME__ERROR": "/e",
    "WEBHOOKS__ACME__TIME": "/t",
    "WEBHOOKS__ACME__PART": "/n",
    "WEBHOOKS__ACME__PARTS": "/of",
    "WEBHOOKS__ACME__DETAILS": '{"price":"/p"}',
    "WEBHOOKS__ACME__STATUSES": '{"ok":"delivered","way":"sent","no":{"status":"undelivered","reason":"network"}}',
    "WEBHOOKS__ACME__WHERE": '{"/kind":["dlr"]}',
    "WEBHOOKS__ACME__SIGNATURE__HEADER": "X-Acme",
    "WEBHOOKS__ACME__SIGNATURE__SECRET": "signed-with-this-one",
}


def read(content: bytes, **changes: str) -> CallbackReadout:
    """Read a callback of Acme."""
    settings = settings_of(**{**ACME, **changes})
    return read_out(build_accounts(drop_signatures(settings))["acme", "default"], settings, content)


def post(*reports: dict[str, object]) -> bytes:
    """Make a callback with these reports."""
    return orjson.dumps({"reports": [{"kind": "dlr", **report} for report in reports]})


def test_each_report_is_explained() -> None:
    """What it says, and what would be published; one that can't be read costs no other."""
    readout = read(
        post(
            {"id": "1", "s": "OK", "t": "2026-01-31T12:00:00Z", "p": 0.5, "n": 1, "of": 3},
            {"id": "2", "s": "way"},
            {"id": "3", "s": "no", "e": 7},
            {"id": "4", "s": "hm"},
            {"s": "ok"},
        )
    )
    assert readout.verdict == "has 5 reports"
    assert not readout.is_fine
    verdicts = [report.verdict for report in readout.reports]
    assert verdicts == [
        "delivered, final, is published when all parts are",
        "sent, not final, is published",
        "undelivered, final, is published",
        "nothing is published: SMS_BRIDGE_WEBHOOKS__ACME__STATUSES has no 'hm'",
        "goes to the dead letters as unreadable: the id is missing",
    ]
    first, _, third, *_ = readout.reports
    assert (first.id, first.time, first.part, first.details) == (
        "1",
        "2026-01-31T12:00:00.000Z",
        "1 of 3",
        {"price": "0.5"},
    )
    assert (third.provider_status, third.status, third.reason, third.code) == ("no", "undelivered", "network", "7")
    assert [report.published for report in readout.reports] == [True, True, True, False, False]


def test_settings_of_publication_count() -> None:
    """With only final events, an interim status isn't published."""
    [report] = read(post({"id": "2", "s": "way"}), FOLLOW__EMIT="final").reports
    assert (report.published, report.verdict) == (False, "nothing is published: FOLLOW__EMIT is final")


def test_a_time_in_an_unknown_form_is_shown() -> None:
    """Nobody would find out otherwise: the message is published with our own time."""
    assert read(post({"id": "1", "s": "ok", "t": "31.1. noon"})).remark.startswith("A time can't be read: '31.1. noon'")


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (b"{", "goes to the dead letters as unreadable"),
        (b"{}", "REPORTS points to"),
        (b'{"reports":[{"kind":"mo"}]}', "is accepted and ignored"),
        (b"<xml/>", "is refused: XML"),
        (b"GET /dlr/acme/s?id=1 HTTP/1.1\n\n", "is answered 405: SMS_BRIDGE_WEBHOOKS__ACME__METHODS is POST"),
        (b"POST / HTTP/1.1\nContent-Encoding: gzip\n\n{}", "is answered 400"),
        (b"POST / HTTP/1.1\nContent-Encoding: br\n\n{}", "is refused: of content encodings"),
    ],
)
def test_a_callback_without_a_report_is_explained(content: bytes, verdict: str) -> None:
    """The text is that of the answer, or of the dead letter."""
    readout = read(content)
    assert verdict in readout.verdict
    assert (readout.reports, readout.is_fine) == ((), False)


def test_the_command_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To people and to scripts; the signature isn't checked, and it says so."""
    file = tmp_path / "callback.json"
    file.write_bytes(post({"id": "0042", "s": "ok"}))
    settings = settings_of(**ACME)
    assert explain_callback(settings, file, "acme", "default", as_json=True) is ExitCode.FINE
    document = orjson.loads(capsys.readouterr().out)
    assert (document["readable"], document["reports"][0]["id"]) == (True, "0042")
    assert explain_callback(settings, file, "acme", "default", as_json=False) is ExitCode.FINE
    shown = capsys.readouterr().out
    assert "Delivered, final, is published." in shown
    assert NOT_CHECKED in shown
    file.write_bytes(post({"s": "ok"}, {"id": "1", "s": "hm", "t": "?"}))
    assert explain_callback(settings, file, "acme", "default", as_json=False) is ExitCode.WRONG
    assert "Goes to the dead letters as unreadable: the id is missing." in capsys.readouterr().out


def test_mistakes_are_named(tmp_path: Path) -> None:
    """A file that isn't there, and an account that isn't configured."""
    settings = settings_of(**ACME)
    with pytest.raises(ConfigurationError, match="can't be read"):
        explain_callback(settings, tmp_path / "no", "acme", "default", as_json=False)
    (tmp_path / "one").write_bytes(b"{}")
    with pytest.raises(ConfigurationError, match="there is dexatel:default, acme:default"):
        explain_callback(settings, tmp_path / "one", "acme", "other", as_json=False)
