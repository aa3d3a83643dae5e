"""Brokers are judged by the requests that they offer."""

import pytest

from bridge.kafka.broker_versions import assess_broker
from tests.support.kafka.api_versions import load_api_versions, make_versions_of_2_4

SUPPORTED = sorted(load_api_versions().keys() - {"2.8.2"})


@pytest.mark.parametrize("release", SUPPORTED)
def test_tested_releases_are_supported(release: str) -> None:
    """Every release from 3.0 on, as it really answers, is taken without a warning."""
    found = assess_broker(load_api_versions()[release])
    assert found == ("supported", "speaks the protocol of Apache Kafka 3.0 or newer")


def test_broker_without_transactions_is_refused() -> None:
    """2.8 had no transactions in its early KRaft mode; the text lists what is missing."""
    level, text = assess_broker(load_api_versions()["2.8.2"])
    assert level == "refused"
    assert text.startswith("speaks the protocol of Apache Kafka 2.8, before 3.0, without AddPartitionsToTxn version 0")
    assert text.endswith("InitProducerId version 3")


def test_broker_that_forgets_producers_is_refused() -> None:
    """Until 2.4 a broker could forget a producer whose records had been deleted, and refuse its next transaction."""
    level, text = assess_broker(make_versions_of_2_4())
    assert level == "refused"
    assert text == "speaks the protocol of Apache Kafka 2.4, before 2.5, without InitProducerId version 3"


def test_broker_of_unknown_age_is_refused() -> None:
    """A broker that offers next to nothing is older than all that can be told apart."""
    level, text = assess_broker({0: (0, 2), 1: (0, 3)})
    assert (level, text.split(",")[0]) == ("refused", "speaks the protocol of Apache Kafka before 2.3")


def test_broker_with_all_requests_but_untested_is_taken_with_a_warning() -> None:
    """2.5 has all that the bridge needs; nobody has tried it."""
    found = assess_broker({**make_versions_of_2_4(), 22: (0, 3)})
    assert found == ("untested", "speaks the protocol of Apache Kafka 2.5, before 2.7")
