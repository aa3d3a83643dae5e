"""How phone numbers are redacted."""

import base64
import hmac
import json
import re
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlencode

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from bridge.core.delivery import Source
from bridge.core.entries import Report
from bridge.observability.logs import _encode_json, arrange_fields, mask_numbers
from bridge.phone_numbers import replace_numbers, shorten_numbers
from bridge.privacy import MASK, Privacy
from bridge.settings.model import PrivacySettings

PATHS = frozenset({("id",), ("message", "id")})
HASHING = PrivacySettings(recipient="hash", hash_key=SecretStr("the-key-of-hashes"))
HASHED = hmac.digest(b"the-key-of-hashes", b"254700000001", "sha256").hex()


def redact(settings: PrivacySettings, raw: str) -> str:
    """Redact the original text of a report."""
    key = ("dexatel", "default", "7")
    report = Report(*key, None, None, None, None, None, {}, None, Source.CALLBACK, 0, raw)
    return Privacy(settings).redact_report(report, PATHS).raw


def test_numbers_are_kept_hashed_or_dropped() -> None:
    """The hash is of the digits only, so that all notations of a number agree; a missing number stays missing."""
    assert Privacy(PrivacySettings()).redact_recipient("+254 700 000001") == "+254 700 000001"
    assert Privacy(HASHING).redact_recipient("+254 700 000001") == HASHED
    assert Privacy(HASHING).redact_recipient("254700000001") == HASHED
    assert Privacy(PrivacySettings(recipient="drop")).redact_recipient("254700000001") is None
    assert Privacy(HASHING).redact_recipient(None) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"data":{"To":"254700000001","id":"7"}}', f'{{"data":{{"To":"{HASHED}","id":"7"}}}}'),
        ('[{"msisdn":254700000001}]', f'[{{"msisdn":"{HASHED}"}}]'),
        ("id=7&to=%2B254700000001&status=sent", f"id=7&to={HASHED}&status=sent"),
    ],
)
def test_a_providers_text_is_redacted(raw: str, expected: str) -> None:
    """Members that have a number are replaced at any depth; the rest stays."""
    assert redact(HASHING, raw) == expected


def test_kept_text_stays_byte_for_byte() -> None:
    """If numbers are redacted, the text is not changed."""
    raw = '{ "to" : "254700000001" }'
    assert redact(PrivacySettings(), raw) == raw


def test_dropped_numbers_leave_an_empty_member() -> None:
    """A dropped number's member stays, empty."""
    redacted = redact(PrivacySettings(recipient="drop"), '{"to":"254700000001"}')
    assert orjson.loads(redacted) == {"to": ""}


DROPPING = PrivacySettings(recipient="drop")


@pytest.mark.parametrize("settings", [HASHING, DROPPING], ids=["hash", "drop"])
@pytest.mark.parametrize(
    ("value", "redacted"),
    [
        (
            b'{"recipient":"+254 700 000001","id":"m-1234567890"}',
            b'{"recipient":null,"id":"m-1234567890"}',
        ),
        (b'{"id":"7","sent_at":"tel 06.12.34.56.78"}', '{"id":"7","sent_at":"tel …"}'.encode()),
        (b'{"data":[{"msisdn":254700000001}]}', b'{"data":[{"msisdn":null}]}'),
        (b'\0\0\0\0\x07{"To":"254700000001"}', b'\0\0\0\0\x07{"To":null}'),
        (b'{"customer":{"cell":"+254700000001"}}', b'{"customer":{"cell":null}}'),
        (b"message_uuid=%d&to=254700000001&x=%FF", b"message_uuid=%25d&to=&x=%FF"),
        (b'{"recipient": "+254 700 000001", ', '{"recipient": "…", '.encode()),
        (b"\xff to 254-700-000-001!", b"\xff to " + "…".encode() + b"!"),
        (b'"254700000001"', '"…"'.encode()),
        (b'{"id":7,  "x":"254700000001"}', '{"id":7,"x":"…"}'.encode()),
        (b'{"id":7,  "x":"on 2025-09-12 10:16:10"}', b'{"id":7,  "x":"on 2025-09-12 10:16:10"}'),
    ],
)
def test_what_a_dead_letter_holds_has_no_recipient(settings: PrivacySettings, value: bytes, redacted: bytes) -> None:
    """Members are emptied by name; without members, all that looks like a number is removed. The rest stays."""
    privacy = Privacy(settings, ["cell"])
    assert privacy.redact_original(None, value).value == redacted
    assert Privacy(PrivacySettings()).redact_original(b"254700000001", value) == (b"254700000001", value)


def test_encoded_data_is_looked_into() -> None:
    """A CloudEvent may have its data in base64."""
    encoded = base64.b64encode(b'{"recipient":"254700000001"}').decode()
    redacted = Privacy(DROPPING).redact_original(None, orjson.dumps({"data_base64": encoded})).value
    assert base64.b64decode(orjson.loads(redacted or b"")["data_base64"]) == b'{"recipient":null}'


@pytest.mark.parametrize(
    ("key", "value", "redacted"),
    [
        (b"254700000001", b'{"recipient":"+254 700 000001"}', None),
        (b"1234567890", b'{"recipient":"+254 700 000001"}', None),
        (b"1234567890", b'{"message_id":1234567890}', b"1234567890"),
        (b"+254700000001", b"not JSON", None),
        (b"order-1234567890", b"not JSON", None),
        (base64.b64encode(b"254700000001"), b"not JSON", None),
        ((254700000001).to_bytes(8, "big"), b"not JSON", None),
        (b"order-123", b"not JSON", b"order-123"),
    ],
)
def test_a_key_may_be_a_number_too(key: bytes, value: bytes, redacted: bytes | None) -> None:
    """Some senders key their events by recipient."""
    assert Privacy(DROPPING).redact_original(key, value).key == redacted


def test_an_error_has_no_number() -> None:
    """Errors quote input, and are written to logs and headers."""
    assert Privacy(DROPPING).redact_text("254700000001 is no text") == "… is no text"
    assert Privacy(PrivacySettings()).redact_text("254700000001 is no text") == "254700000001 is no text"


def test_text_with_a_byte_order_mark_is_redacted() -> None:
    """A document with the mark is redacted like any other."""
    redacted = redact(DROPPING, '\ufeff{"to":"254700000001","id":"7"}')
    assert orjson.loads(redacted) == {"to": "", "id": "7"}


NUMBER = "254700123456"
SPELLINGS = (
    NUMBER,
    f"+{NUMBER}",
    "+254 700 123-456",
    "00254 (700) 123456",
    "254.700.123.456",
    "254_700_123_456",
    "25.47.00.12.34.56",
    "2547-00-12-3456",
    "254&nbsp;700&#32;123456",
    "\\x32\\x35\\x34700123456",
    "254\u00a0700\u2009123\u2011456",
    "sent to 254700123456!",
    "%2B254700123456",
    "%32%35%34700123456",
    "%25%32B254700123456",
    "x254700123456",
    "\u00b2\u2075\u2074\u2077\u2070\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076",
    "\uff12\uff15\uff14\uff17\uff10\uff10\uff11\uff12\uff13\uff14\uff15\uff16",
    "25\u2463700123456",
)
NAMES = st.sampled_from(
    [
        "dst",
        "gsm",
        "to[]",
        "to[0]",
        "recipient.number",
        "cust:phone",
        "Msisdn",
        "id2",
        "status",
        "note",
        "data",
        "data_base64",
    ]
) | st.text(max_size=8)


@st.composite
def documents(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """A document with the number somewhere in it: in a text, an integer, a name, a list, a text that is JSON."""
    leaf: Any = draw(st.sampled_from([*SPELLINGS, int(NUMBER), float(NUMBER)]))
    for _ in range(draw(st.integers(1, 4))):
        name = draw(NAMES)
        if (name,) in PATHS or name in {"id", "time"}:
            continue
        leaf = draw(
            st.sampled_from(
                [{name: leaf}, {name: [1, leaf, None]}, [leaf], {"a": 1, name: leaf}, {str(leaf): name}]
                + [{name: orjson.dumps(leaf).decode()}] * isinstance(leaf, dict | list)
                + [{"data_base64": base64.b64encode(orjson.dumps(leaf)).decode()}]
            )
        )
    return leaf if isinstance(leaf, dict) else {"x": leaf}


def reveals(text: str) -> bool:
    """Whether the number can be read from a text by any of the usual decodings."""
    for _ in range(4):
        text = re.sub(r"\\\\*u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), unquote(text, errors="replace"))
        for encoded in re.findall(r"[A-Za-z0-9+/]{12,}={0,2}", text):
            with suppress(ValueError):
                text += base64.b64decode(encoded, validate=True).decode(errors="replace")
    return NUMBER[3:] in re.sub(r"[^0-9A-Za-z]", "", unicodedata.normalize("NFKC", text))


@settings(max_examples=400)
@given(documents(), st.sampled_from(["json", "form", "text", "cut", "multipart"]), st.sampled_from([HASHING, DROPPING]))
def test_no_number_survives(document: dict[str, Any], form: str, privacy: PrivacySettings) -> None:
    """Wherever it stands and however it is written, in what providers send and in dead letters."""
    written = {
        "json": orjson.dumps(document).decode(),
        "form": urlencode(
            {name: value if isinstance(value, str) else orjson.dumps(value) for name, value in document.items()}
        ),
        "text": f"<report>{document}</report>",
        "cut": orjson.dumps(document).decode()[:-1],
        "multipart": "".join(
            f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{orjson.dumps(value).decode()}\r\n'
            for name, value in document.items()
        )
        + "--B--",
    }[form]
    assert not reveals(redact(privacy, written))
    original = Privacy(privacy).redact_original(NUMBER.encode(), written.encode("utf-8", "surrogateescape"))
    assert original.key is None
    assert not reveals((original.value or b"").decode("utf-8", "replace"))


def test_a_multipart_form_keeps_its_form() -> None:
    """Only the number is masked, so that the dead letter can be replayed."""
    body = f'--B\r\nContent-Disposition: form-data; name="id"\r\n\r\nA1\r\n--B\r\n\r\n+{NUMBER}\r\n--B--'
    kept = Privacy(HASHING).redact_original(None, body.encode()).value or b""
    assert kept.decode() == body.replace(f"+{NUMBER}", MASK)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_logs_shorten_numbers(spelling: str) -> None:
    """In every mode, whatever stands around."""
    for text in (spelling, f"error: '{spelling}' is no id", f"a={spelling}&b=1"):
        assert not reveals(shorten_numbers(text)), text


@pytest.mark.parametrize(
    "text",
    [
        "2025-09-12T10:16:10.123Z",
        "2025-09-12T10:16:10+05:30",
        "at 2025-09-12 10:16:10",
        "3d3a1c5e-0000-4000-8000-000000000001",
        "HTTP 503, 3 of 24 partitions",
        "00:02:30",
    ],
)
def test_harmless_shapes_stay(text: str) -> None:
    """Times, addresses, UUIDs and small numbers aren't phone numbers."""
    assert replace_numbers(text, "…") == text


def test_status_and_code_have_no_number() -> None:
    """They are texts of the provider's, too."""
    key = ("dexatel", "default", "7")
    text = f"failed for {NUMBER}"
    report = Report(*key, None, None, None, text, text, {}, None, Source.CALLBACK, 0, "")
    redacted = Privacy(HASHING).redact_report(report, PATHS)
    assert (redacted.provider_status, redacted.provider_code) == ("failed for …", "failed for …")


@pytest.mark.parametrize("text", ['{"to":"254700123456","to":null}', '{"a":[{"x":254700123456,"x":1}]}'])
def test_repeated_members_hide_nothing(text: str) -> None:
    """A parser keeps the last one; the text had both."""
    assert not reveals(redact(DROPPING, text))


def test_logs_keep_addresses() -> None:
    """Of brokers, for instance."""
    assert (
        shorten_numbers("no Kafka at 127.0.0.1:26861, 10.0.0.12:9092") == "no Kafka at 127.0.0.1:26861, 10.0.0.12:9092"
    )
    assert not reveals(shorten_numbers("06.25.47.00.12.34.56"))


FRAGMENTS = st.sampled_from(
    [
        *(
            "\\ud83d",
            "\\ude00",
            "\\ud83d\\ude00",
            "\\ud835\\udfce",
            "\\udc80",
            "\\x80",
            "\\u0000",
            "\\",
            "\\u",
            "\\ud8",
        ),
        *("&#9;", "&#xD800;", "&#1114112;", "&#" + "9" * 5_000 + ";", "&" + "a" * 5_000 + ";", "&nbsp", "&#50", "&"),
        *("%", "%C3%BC", "%FF", "%ED%A0%80", "%25" * 9, "=", "&a=", "{", "[", '"', '{"a":', "<a>", "\ufeff", "\n"),
        *("\ud83d", "\udc80", "\udcff", "\u0323\u0301" * 50, "\u0663" * 7, "\u2463", "\U0001d7ce", "\uff10", "\u216b"),
        *(NUMBER, "254 700", "123-456", base64.b64encode(NUMBER.encode()).decode(), "A" * 13, "-_" * 8, "1" * 5_000),
    ]
)


@settings(max_examples=600)
@given(st.lists(FRAGMENTS | st.text(max_size=4), max_size=6).map("".join))
def test_no_text_stops_the_redaction(text: str) -> None:
    """Whatever is written around a number and however it is escaped, the outcome can be stored and logged."""
    for privacy in (HASHING, DROPPING):
        redact(privacy, text).encode("utf-8", "surrogatepass")
        value = text.encode("utf-8", "surrogatepass")
        original = Privacy(privacy).redact_original(value, value)
        assert original.value is not None
    for message in (text, f"{text} {NUMBER}"):
        shown = mask_numbers(None, "", {"event": "rejected", "error": message, "raw": text})
        line = _encode_json(arrange_fields(None, "", shown))
        assert json.loads(line)["event"] == "rejected"


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(base64.b64encode(number.encode()).decode().rstrip("=") + padding, id=f"{number}{padding}")
        for number in ("37477123456", "77123456", "7712345", "254700123456")
        for padding in ("", "=" * (-len(base64.b64encode(number.encode()).decode().rstrip("=")) % 4))
    ],
)
def test_base64_is_looked_into(encoded: str) -> None:
    """With its padding and without, also where it looks like a form's parameter."""
    for text in (f'{{"tok":"{encoded}"}}', f"xx {encoded}", f"tok={encoded}", encoded):
        assert encoded.rstrip("=") not in redact(DROPPING, text), text


@pytest.mark.parametrize(
    "fragment", ["\u0323\u0301", "&#0", "\\u003", "%3", "1 ", "\u0663", "A", "254-", '{"a":"', "=&"]
)
def test_redaction_takes_linear_time(fragment: str) -> None:
    """A long text must not hold up the event loop; four times as much may take eight times as long, not sixteen."""

    def measure(size: int) -> float:
        text = fragment * (size // len(fragment)) + f" {NUMBER}"
        times = []
        for _ in range(3):
            started = time.process_time()
            replace_numbers(text, "")
            times.append(time.process_time() - started)
        return min(times)

    assert measure(200_000) < 8 * measure(50_000) + 0.05
