"""The page about performance begins with results, also where a contestant or a subject is missing."""

from typing import Any

import orjson

from bench.report import KNOWN, make_documents
from bench.scaling import read_costs
from tests.support.paths import ROOT

FOUND: dict[str, Any] = {
    "machine": {"cores": 2, "processor": "a processor", "memory_gb": 24, "python": "Python 3.13.1"},
    "measured_at": "2026-11-29",
    "rounds": 3,
    "scale": 1,
    "tracker": {
        "medians": {
            "sms-bridge": {"per_second": 30_000, "cpu_us": 25, "broker_cpu_us": 5},
            "sms-bridge, two processes": {"per_second": 40_000, "cpu_us": 30, "broker_cpu_us": 6},
            "no logic": {"per_second": 90_000, "cpu_us": 9, "broker_cpu_us": 5},
            "Kafka Streams": {"per_second": 35_000, "cpu_us": 40, "broker_cpu_us": 4},
        },
        "left_out": {"Quix Streams": "it ended by itself"},
        "cpu_ratio": {"Kafka Streams": 0.625},
        "machine_ratio": {"Kafka Streams": 1.25, "Quix Streams": None},
    },
}


def find_row(page: str, beginning: str) -> str:
    """Find a table's row."""
    return next(line for line in page.splitlines() if line.startswith(f"| {beginning}"))


def test_results_come_first_and_goals_have_a_section_of_their_own() -> None:
    """Each result stands beside the peers'; the best of one or two processes counts for the machine."""
    page = make_documents(FOUND)["performance.md"]
    assert page.index("## Results") < page.index("## The tracker") < page.index("## Goals") < page.index("## How it is")
    assert find_row(page, "tracker, CPU") == "| tracker, CPU of an entry, µs | **25** | Kafka Streams | 40 |"
    assert find_row(page, "tracker, entries a second").split("|")[2:] == [
        " **40,000** ",
        " Kafka Streams ",
        " 35,000 ",
        "",
    ]
    assert find_row(page, "tracker: CPU per entry").endswith("not reached |")
    assert find_row(page, "the machine: entries per second, relative to Kafka").endswith("| reached |")
    assert "relative to Quix" not in page
    assert "it ended by itself" in find_row(page, "Quix Streams")


def test_a_message_costs_what_its_entries_and_callbacks_do() -> None:
    """One core, busy half of the time, delivers so many messages."""
    costs = {name: {"medians": {"sms-bridge": {"per_second": 1, "cpu_us": us}}, "left_out": {}} for name, us in COSTS}
    page = make_documents({**FOUND, **costs, "known": {"followed": {"1000": ATTEMPTS}}})["performance.md"]
    assert "takes\n200 µs of one core" in page
    assert "delivers\n216 million messages a day, 2,500 a second" in page
    assert "nearly empty" not in page


def test_rules_for_sizing_agree() -> None:
    """The page that people size by has the figures of the last complete run, and scaling the same rule."""
    costs = read_costs(orjson.loads((ROOT / "bench/results.json").read_bytes()))
    assert costs
    assert costs.sparse
    operating, scaling = (" ".join((ROOT / f"docs/{name}.md").read_text().split()) for name in ("operating", "scaling"))
    for text in (operating, scaling):
        assert f"for every {costs.sparse_rate} messages per second" in text
    assert f"a message takes {costs.sparse / 1000:.1f} ms of CPU" in operating
    assert f"a message takes {costs.full:.0f} µs" in operating


def test_without_all_costs_nothing_is_said_about_messages() -> None:
    """A restore that failed has no figures."""
    page = make_documents({**FOUND, "known": {"followed": {"1000": {"failed": "no"}}}})["performance.md"]
    assert "What it means" not in page


COSTS = (("intake", 10), ("receiver", 78.125), ("tracker", 25))
ATTEMPTS = dict.fromkeys(KNOWN, 1.0)
