"""The fuzzer (`python -m tests.support.providers.fuzz`): every parser, then a running receiver with a real Kafka.

Prints one line of JSON per part. Ends with exit code 1 at the first input that is handled wrongly, and shows it.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

import aiohttp
from yarl import URL

from bridge.core.delivery import Status, Verdict
from bridge.core.entries import Report
from bridge.core.errors import BridgeError, UnsupportedMediaTypeError
from bridge.journal.serde import encode_entry
from bridge.providers.dexatel import Dexatel
from bridge.providers.dexatel_v1 import DexatelV1
from bridge.providers.dialect import Callback, Dialect, PollAnswer
from bridge.providers.generic_webhook import CallbackPointers, GenericWebhook
from bridge.providers.report_rules import ReportRules
from bridge.providers.speedocom import Speedocom
from bridge.sandbox.kafka.broker import sandbox
from tests.support.providers.mutations import FLAT, PAGES, mutate, seeds
from tests.support.service.fleet import Fleet
from tests.support.service.process import Service
from tests.support.service.topics import Topics

SECRETS = {"dexatel": "a-fuzzed-secret-of-dexatel", "speedocom": "a-fuzzed-secret-of-speedocom"}
SETTINGS = {
    f"{provider.upper()}__{name}": value
    for provider, secret in SECRETS.items()
    for name, value in {"CALLBACK_SECRETS": secret, "POLL": "never"}.items()
}
CONTENT_TYPES = (
    *("application/json", "application/x-www-form-urlencoded", "", "text/plain", "application/x+json; a=b"),
    *("multipart/form-data; boundary=B", "text/plain; charset=cp1251", "application/json; charset=utf-16"),
)
DIALECTS: Mapping[str, Dialect] = {"dexatel": Dexatel("default"), "speedocom": Speedocom("default")}
CONCURRENCY = 32


class Request(NamedTuple):
    """A callback, and the mark by which it is found in the topics."""

    provider: str
    method: str
    secret: str
    query: bytes
    content_type: str
    body: bytes
    mark: bytes


def callback(rng: Random, likely: tuple[bytes, ...]) -> Callback:
    """Return a random callback."""
    query = mutate(rng, likely).decode("utf-8", "surrogateescape")
    body = mutate(rng, likely)
    return Callback(rng.choice(("GET", "POST")), query, rng.choice(CONTENT_TYPES), body)


def answer(rng: Random, likely: tuple[bytes, ...]) -> PollAnswer:
    """Return a random answer to a poll."""
    waits = (None, "7", "Tue, 04 Mar 2025 05:06:07 GMT", "soon", "-1")
    return PollAnswer(rng.choice((200, 200, 200, 404, 400, 429, 401, 503)), rng.choice(waits), mutate(rng, likely))


def parsers() -> Mapping[str, Callable[[Random], object]]:
    """Return the parsers, each with its own generated input."""
    acme = GenericWebhook(
        "acme",
        "a",
        pointers=CallbackPointers("/id", "/status"),
        rules=ReportRules({"delivered": Verdict(Status.DELIVERED)}),
    )
    dexatel, v1, speedocom = Dexatel("a"), DexatelV1("a"), Speedocom("a")
    of = {name: (seeds(name, "callback"), seeds(name, "poll")) for name in SECRETS}
    return {
        "dexatel callbacks": lambda rng: dexatel.read_callback(callback(rng, of["dexatel"][0]), 1),
        "speedocom callbacks": lambda rng: speedocom.read_callback(callback(rng, of["speedocom"][0]), 1),
        "webhook callbacks": lambda rng: acme.read_callback(callback(rng, FLAT), 1),
        "dexatel answers": lambda rng: v1.read_answer(answer(rng, of["dexatel"][1]), "77", 1),
        "speedocom answers": lambda rng: speedocom.read_answer(answer(rng, of["speedocom"][1]), "40717", 1),
        "dexatel pages": lambda rng: v1.read_page(answer(rng, PAGES), 1).reports,
    }


def fuzz_parser(parse: Callable[[Random], object], inputs: int, seed: int) -> Counter[str]:
    """Parse this many inputs and count the results. An unexpected result or error is raised."""
    rng, outcomes = Random(seed), Counter[str]()
    for _ in range(inputs):
        try:
            found = parse(rng)
        except BridgeError as error:
            outcomes[type(error).__name__] += 1
            continue
        reports = [found] if isinstance(found, Report) else found or ()
        for report in reports:  # type: ignore[attr-defined]  # a callback's, a page's, or none
            if isinstance(report, Report):
                encode_entry(report)
        outcomes["report" if reports else "nothing"] += 1
    return outcomes


def request(rng: Random, number: int) -> Request:
    """Return a callback with a unique mark, within its content or behind it."""
    provider, mark = rng.choice(tuple(SECRETS)), b"mark%09d" % number
    method = "GET" if provider == "dexatel" and rng.random() < 0.5 else "POST"
    secret = SECRETS[provider] if rng.random() < 0.9 else f"wrong-{rng.getrandbits(64):016x}"
    said = mutate(rng, seeds(provider, "callback"))
    if said.endswith(b"}") and rng.random() < 0.7:
        said = said[:-1] + b',"n":"' + mark + b'"}'
    else:
        said += b"&n=" + mark
    content_type = rng.choice(CONTENT_TYPES)
    if method == "GET":
        query = bytes(byte if 0x21 <= byte <= 0x7E and byte not in b'#"<>' else 0x2B for byte in said)
        return Request(provider, method, secret, query, "", b"", mark)
    return Request(provider, method, secret, b"", content_type, said, mark)


async def send(client: aiohttp.ClientSession, service: Service, one: Request) -> int:
    """Send it and return the response's status."""
    path = f"{service.url}/dlr/{one.provider}/{one.secret}" + (f"?{one.query.decode()}" if one.query else "")
    headers = {"Content-Type": one.content_type} if one.content_type else {}
    async with client.request(
        one.method, URL(path, encoded=True), data=one.body or None, headers=headers, skip_auto_headers=["Content-Type"]
    ) as response:
        return response.status


def expected_status(one: Request) -> int:
    """Return the answer that it gets: only what is in a form that isn't read is refused."""
    if one.secret != SECRETS[one.provider]:
        return 404
    try:
        DIALECTS[one.provider].read_callback(make_callback(one), 1)
    except UnsupportedMediaTypeError:
        return 415
    except BridgeError:
        pass
    return 200


def make_callback(one: Request) -> Callback:
    """Make the callback that the receiver makes of it."""
    return Callback(one.method, one.query.decode(), one.content_type, one.body)


def is_kept(one: Request) -> bool:
    """Return whether it must be in the journal or the dead letters: authentic and about a delivery."""
    if expected_status(one) != 200:
        return False
    try:
        return DIALECTS[one.provider].read_callback(make_callback(one), 1) not in ((), [])
    except BridgeError:
        return True


async def fuzz_receiver(fleet: Fleet, count: int, seed: int) -> dict[str, object]:
    """Send this many callbacks, and assert that each authentic one is found again."""
    requests = [request(Random(seed + number), number) for number in range(count)]
    statuses, queue, began = Counter[int](), iter(requests), time.monotonic()
    async with fleet.topics() as topics, fleet.running({**topics.settings, **SETTINGS}) as service:

        async def sender(client: aiohttp.ClientSession) -> None:
            for one in queue:
                status = await send(client, service, one)
                assert status == expected_status(one), (status, one)
                statuses[status] += 1

        async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(sender(client))
        took = time.monotonic() - began
        await topics.wait_until_folded(120)
        lost = _lost(topics, requests)
        assert not lost, lost[:5]
        _assert_no_leak(topics, service)
        samples = await service.read_samples()
        failed = service.log.count("request failed")
        assert not failed, service.tail()
        return {
            "requests": count,
            "per_second": round(count / took),
            "statuses": dict(statuses),
            "journal": len(topics.entries),
            "dead_letters": len(topics.dead_letters),
            "ignored": sum(n for name, n in samples.items() if "_total{" in name and 'outcome="ignored"' in name),
            "lost": 0,
            "leaks": 0,
        }


def _lost(topics: Topics, requests: list[Request]) -> list[Request]:
    kept = b"\n".join(record.value or b"" for record in (*topics.entries, *topics.dead_letters))
    marks = {kept[at : at + 13] for at in _places(kept, b"mark")}
    return [one for one in requests if is_kept(one) and one.mark not in marks]


def _places(text: bytes, word: bytes) -> list[int]:
    found, at = [], text.find(word)
    while at >= 0:
        found.append(at)
        at = text.find(word, at + 1)
    return found


def _assert_no_leak(topics: Topics, service: Service) -> None:
    service.assert_clean_log()
    for record in (*topics.entries, *topics.dead_letters, *topics.events):
        text = f"{record.key!r} {record.value!r} {record.headers}"
        assert not [secret for secret in SECRETS.values() if secret in text], text


async def main(inputs: int, requests: int, seed: int) -> None:
    """Run all parts."""
    for name, parse in parsers().items():
        began, outcomes = time.monotonic(), fuzz_parser(parse, inputs, seed)
        line = {"parser": name, "inputs": inputs, "crashes": 0, "seconds": round(time.monotonic() - began, 1)}
        print(json.dumps({**line, **outcomes}), flush=True)  # noqa: T201 - what it is for
    async with sandbox() as kafka:
        with tempfile.TemporaryDirectory() as folder:
            found = await fuzz_receiver(Fleet(kafka, Path(folder)), requests, seed)
            print(json.dumps(found), flush=True)  # noqa: T201 - the same


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--inputs", type=int, default=200_000, help="for each parser")
    options.add_argument("--requests", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    asyncio.run(main(chosen.inputs, chosen.requests, chosen.seed))
