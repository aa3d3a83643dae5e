"""Topics' names: ones that Kafka doesn't take, and two that are one topic, are refused before anything is created."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import ConfigurationError
from tests.support.settings import settings_of

TOPICS = [f"TOPICS__{name}" for name in ("SENT", "DELIVERY", "LATEST", "JOURNAL", "STATE", "DEAD_LETTER")]
ALPHABET = "ABCXYZabcxyz0189._-"


def refuse(**changes: str) -> str:
    """Return the one line that is said of settings that are wrong."""
    with pytest.raises(ConfigurationError) as caught:
        settings_of(**changes)
    [line] = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize(("one", "other"), [*combinations(TOPICS, 2)])
@pytest.mark.parametrize(("name", "same"), [("some.topic_a", "some.topic_a"), ("some.topic_a", "some_topic.a")])
def test_two_settings_that_name_one_topic_are_refused(one: str, other: str, name: str, same: str) -> None:
    """Dead letters in the topic of sent events, say, would be read as such, rejected, and written again, for ever."""
    line = refuse(**{one: name, other: same})
    assert line.startswith(f"SMS_BRIDGE_{one} and {other} should name different topics: ")
    assert name in line
    assert same in line


@pytest.mark.parametrize("other", [name for name in TOPICS if name != "TOPICS__LATEST"])
def test_a_name_may_be_another_ones_default(other: str) -> None:
    """It is the same topic all the same."""
    default = getattr(settings_of().topics, other.removeprefix("TOPICS__").lower())
    line = refuse(TOPICS__LATEST=default if isinstance(default, str) else default[0])
    assert f"{other} and TOPICS__LATEST" in line or f"TOPICS__LATEST and {other}" in line


def test_a_topic_that_is_read_twice_is_refused() -> None:
    """There is nothing else that could be meant than another one."""
    assert refuse(TOPICS__SENT="a,b,a") == "SMS_BRIDGE_TOPICS__SENT should name different topics: a comes twice"


@given(name=st.text(ALPHABET, min_size=1, max_size=249).filter(lambda name: name not in {".", ".."}))
def test_names_that_kafka_takes_are_taken(name: str) -> None:
    """Whatever they are made of."""
    assert settings_of(TOPICS__JOURNAL=name).topics.journal == name


@pytest.mark.parametrize("setting", TOPICS)
@pytest.mark.parametrize("name", [".", "..", "a b", "a/b", "ä", "a\nb", "x" * 250, "sms.sent;sms.resent"])
def test_names_that_kafka_refuses_are_refused(setting: str, name: str) -> None:
    """The line has the name: it is no secret."""
    said = f"SMS_BRIDGE_{setting} should be a topic's name, at most 249 characters out of A-Z a-z 0-9 . _ -, but is "
    assert refuse(**{setting: name}).startswith(said)


@pytest.mark.parametrize("setting", [name for name in TOPICS if name != "TOPICS__LATEST"])
def test_only_the_latest_events_need_no_topic(setting: str) -> None:
    """An empty name of another one is that of a variable that is missing."""
    assert settings_of(TOPICS__LATEST="").topics.latest == ""
    assert refuse(**{setting: ""}).startswith(f"SMS_BRIDGE_{setting} should ")


@pytest.mark.parametrize(
    ("topic", "advice"),
    [
        ("sms-bridge.stat", "did you mean sms-bridge.state?"),
        ("sms.sent", ""),
        ("other", "name one of the bridge's own"),
    ],
)
def test_configs_of_other_topics_are_refused(topic: str, advice: str) -> None:
    """They would do nothing: the bridge creates only its own topics."""
    line = refuse(TOPICS__CONFIG=f'{{"{topic}":{{"segment.ms":1}}}}')
    assert line.startswith(f"SMS_BRIDGE_TOPICS__CONFIG has '{topic}', which the bridge doesn't create; ")
    assert advice in line


def test_configs_are_by_the_names_that_are_set() -> None:
    """Those of all topics that the bridge creates."""
    config = '{"a":{"segment.ms":1},"sms.delivery":{"segment.ms":1}}'
    assert settings_of(TOPICS__LATEST="a", TOPICS__CONFIG=config).topics.config.keys() == {"a", "sms.delivery"}
    assert "has 'a'" in refuse(TOPICS__CONFIG=config)
