"""Generates mangled inputs: known payloads that are cut, spliced and overwritten. Seeded, so repeatable."""

import json
from pathlib import Path
from random import Random

CORPUS = json.loads(Path(__file__).with_name("corpus.json").read_text(encoding="utf-8"))

LIKELY = 0.8

TOKENS = (
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"&", b"=", b"%", b"%00", b"+", b"\\", b"\\u0000", b"\\ud800", b"\n"),
    *(b"null", b"true", b"NaN", b"1e999", b"-0", b"18446744073709551616", b"0" * 140, b"\xff\xfe", b"\xef\xbb\xbf"),
    *(b"data", b"message_id", b"messageid", b"id", b"status", b"delivered", b"DELIVERED", b"description", b"1501"),
    *(b"response-code", b"1008", b"1009", b"No dlr", b"delivery-description", b"next_page_token", b"{id}", b"%d"),
    *(b"0000-00-00 00:00:00", b"9999-12-31 23:59:59", b"00:02:30", "ü€😀".encode(), b"\x00", b"[" * 200),
)


def seeds(provider: str, way: str) -> tuple[bytes, ...]:
    """Return a provider's payloads in the corpus, of the kind `callback` or `poll`."""
    said = (case[way] for case in CORPUS if case["provider"] == provider and way in case)
    return tuple(text.encode() for one in said for text in (one["body"], one.get("query", "")) if text)


PAGES = (
    b'{"data":[{"id":"7","status":"delivered","update_date":"2025-03-04 05:06:07"},{"id":8}],"next_page_token":"x"}',
    b'[{"id":"7","status":"enroute","price":0.5},{"message_uuid":"9","status":"failed"}]',
)
FLAT = (b'{"id":"7","status":"delivered","cost":1}', b"id=0042&status=delivered&x=%20y")
"""Callbacks of a configured provider."""

_KINDS = [(provider, way) for provider in ("dexatel", "speedocom") for way in ("callback", "poll")]
SEEDS = tuple(dict.fromkeys((*(one for kind in _KINDS for one in seeds(*kind)), *PAGES, *FLAT)))


def mutate(rng: Random, likely: tuple[bytes, ...] = SEEDS) -> bytes:
    """Return a payload with a few random changes, mostly one of the likely ones."""
    found = bytearray(rng.choice(likely if rng.random() < LIKELY else SEEDS))
    for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
        at, size = rng.randrange(len(found) + 1), rng.choice((0, 1, 1, 4, 16))
        match rng.randrange(5):
            case 0:
                found[at : at + size] = b""
            case 1:
                found[at:at] = rng.choice(TOKENS)
            case 2:
                found[at : at + size] = rng.choice(TOKENS)
            case 3:
                found[at : at + size] = rng.randbytes(size)
            case _:
                other = rng.choice(SEEDS)
                begin = rng.randrange(len(other))
                found[at : at + size] = other[begin : begin + 24]
    return bytes(found[:4000])
