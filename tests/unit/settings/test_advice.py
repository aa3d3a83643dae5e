"""A mistake in settings is one line that says what to do: the variable, file and line, or the value that was meant."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pytest

from bridge.core.errors import ConfigurationError
from bridge.settings.loading import load_settings
from bridge.settings.model import PREFIX, Settings
from bridge.settings.sources import SECRETS_DIR

NEEDED = {
    "KAFKA__BOOTSTRAP_SERVERS": "kafka:9092",
    "DEXATEL__CALLBACK_SECRETS": "0123456789abcdef",
    "DEXATEL__POLL": "never",
}


def load(settings: Mapping[str, str], file: Path | None = None) -> Settings:
    """Load settings, beside those that are needed."""
    return load_settings({f"{PREFIX}{name}": value for name, value in {**NEEDED, **settings}.items()}, file)


def refuse(settings: Mapping[str, str], file: Path | None = None) -> str:
    """Return what is said of settings that are wrong."""
    with pytest.raises(ConfigurationError) as caught:
        load(settings, file)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [("KAFKA__COMPRESSION", "gzi", "gzip"), ("LOG__LEVEL", "Warn", "warning"), ("FOLLOW__EMIT", "finals", "final")],
)
def test_a_similar_value_is_suggested(name: str, value: str, meant: str) -> None:
    """Beside all values that there are."""
    said = refuse({name: value})
    assert said.startswith(f"{PREFIX}{name} should be '")
    assert said.endswith(f"; did you mean {meant}?")


def test_no_value_is_suggested_where_none_is_similar() -> None:
    """Only the values that there are."""
    assert refuse({"KAFKA__COMPRESSION": "best"}).endswith("'zstd' or 'none'")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"HTTP__PORT": "9090"}, True),
        ({"ADMIN__PORT": "8080", "ADMIN__HOST": "127.0.0.1"}, True),
        ({"ADMIN__PORT": "8080", "ADMIN__HOST": "::1", "HTTP__HOST": "127.0.0.1"}, False),
        ({"ADMIN__PORT": "0", "HTTP__PORT": "0"}, False),
    ],
)
def test_equal_ports_are_refused(settings: dict[str, str], *, told: bool) -> None:
    """Before anything is started or created; different addresses may have the same port."""
    if told:
        assert refuse(settings).startswith(f"{PREFIX}HTTP__PORT and ADMIN__PORT should be different")
    else:
        load(settings)


def test_a_bad_line_in_an_env_file_is_named(tmp_path: Path) -> None:
    """With the file and the number of the line, each one that is bad; good lines, comments and `export` are none."""
    file = tmp_path / "bridge.env"
    file.write_text("# how it is logged\n\nexport SMS_BRIDGE_LOG__LEVEL=debug\nSMS_BRIDGE_HTTP__PORT\nthis isn't one\n")
    lines = refuse({}, file).splitlines()
    assert lines == [f"{file}:{number}: should be NAME=value, a comment or empty" for number in (4, 5)]
    file.write_text('# how it is logged\n\nexport SMS_BRIDGE_LOG__LEVEL=debug\nSMS_BRIDGE_HTTP__HOST="127.0.0.1"\n')
    settings = load({}, file)
    assert (settings.log.level, settings.http.host) == ("debug", "127.0.0.1")


def test_a_wrong_value_in_an_env_file_has_its_place(tmp_path: Path) -> None:
    """Unless the environment sets the variable, too."""
    file = tmp_path / "bridge.env"
    file.write_text("# ports\nSMS_BRIDGE_HTTP__PORT=eighty\nsms_bridge_log__levle=debug\n")
    assert refuse({}, file).splitlines() == [
        f"{PREFIX}HTTP__PORT should be a whole number ({file}:2)",
        f"{PREFIX}LOG__LEVLE: unknown setting; did you mean {PREFIX}LOG__LEVEL? ({file}:3)",
    ]
    assert refuse({"HTTP__PORT": "ninety"}, file).splitlines()[0] == f"{PREFIX}HTTP__PORT should be a whole number"


def test_the_variable_that_another_one_needs_is_named() -> None:
    """As it has to be set, whichever group it is in."""
    assert refuse({"PRIVACY__RECIPIENT": "hash"}).startswith(f"{PREFIX}PRIVACY__HASH_KEY is needed")
    assert refuse({"SENT__FORMAT": "avro"}).startswith(f"{PREFIX}REGISTRY__URL is needed")


def test_a_single_underscore_is_recognized() -> None:
    """Groups and their members are separated by two."""
    said = refuse({"DEXATEL_POLL": "never"})
    assert said == f"{PREFIX}DEXATEL_POLL: unknown setting; did you mean {PREFIX}DEXATEL__POLL?"


@pytest.mark.parametrize("servers", ["kafka", "kafka:9092,other", "kafka:", ":9092", "kafka:port"])
def test_a_broker_without_a_port_is_refused(servers: str) -> None:
    """Before Kafka is asked."""
    assert "should be host:port" in refuse({"KAFKA__BOOTSTRAP_SERVERS": servers})


@pytest.mark.parametrize("servers", ["http://kafka:9092", "one:9092,SASL_SSL://two:9092", "kafka:9092/", "a/b:9092"])
def test_a_broker_is_no_url(servers: str) -> None:
    """A scheme belongs to the broker's own settings, and would be taken as a part of the host's name."""
    said = refuse({"KAFKA__BOOTSTRAP_SERVERS": servers})
    assert said == f"{PREFIX}KAFKA__BOOTSTRAP_SERVERS should be host:port, without a scheme such as http:// or a path"


@pytest.mark.parametrize("servers", ["[::1]:9092, [2001:db8::1]:9093", '["[::1]:9092", "[2001:db8::1]:9093"]'])
def test_brokers_may_have_ipv6_addresses(servers: str) -> None:
    """Although such an address begins as a list in JSON does."""
    found = load({"KAFKA__BOOTSTRAP_SERVERS": servers}).kafka.bootstrap_servers
    assert found == ("[::1]:9092", "[2001:db8::1]:9093")


def test_a_secret_is_called_like_its_variable(tmp_path: Path) -> None:
    """A file without the prefix would be ignored; files for other programs are."""
    (tmp_path / "tls.crt").write_text("theirs")
    assert load_settings({**make_needed(), SECRETS_DIR: str(tmp_path)}).dexatel.token is None
    (tmp_path / "DEXATEL__TOKEN").write_text("0123456789abcdef")
    with pytest.raises(ConfigurationError, match=f"DEXATEL__TOKEN should be called {PREFIX}DEXATEL__TOKEN$"):
        load_settings({**make_needed(), SECRETS_DIR: str(tmp_path)})


MISTAKES = {
    "FOO": "FOO: unknown setting; docs/settings.md lists all settings",
    "LGO__LEVEL": "LGO__LEVEL: unknown setting; did you mean SMS_BRIDGE_LOG__LEVEL?",
    "LOG__LEVLE": "LOG__LEVLE: unknown setting; did you mean SMS_BRIDGE_LOG__LEVEL?",
    "LOG__FORMAT": "LOG__FORMAT should be 'auto', 'json' or 'console'",
    "HTTP__PORT": "HTTP__PORT should be a whole number",
    "PRIVACY__RECIPIENT": "PRIVACY__HASH_KEY is needed when PRIVACY__RECIPIENT is hash",
    "REGISTRY": "REGISTRY is a group of settings; docs/settings.md lists its members",
}
"""One of each kind: what is said when the variable is `hash`."""


@pytest.mark.parametrize("count", range(1, len(MISTAKES) + 1))
def test_all_mistakes_are_reported_at_once(count: int, tmp_path: Path) -> None:
    """Of whatever kinds they are, and in which source: a line for each, and none for anything else."""
    for names in combinations(MISTAKES, count):
        env_file = tmp_path / "bridge.env"
        env_file.write_text("".join(f"{PREFIX}{name}=hash\n" for name in names[::2]))
        with pytest.raises(ConfigurationError) as caught:
            load_settings({f"{PREFIX}{name}": "hash" for name in names[1::2]}, env_file)
        lines = [line.partition(" (")[0] for line in str(caught.value).splitlines()]
        missing = "KAFKA__BOOTSTRAP_SERVERS is missing; set it"
        assert sorted(lines) == sorted(f"{PREFIX}{line}" for line in (missing, *map(MISTAKES.__getitem__, names)))


def test_all_secrets_with_wrong_names_are_reported_at_once(tmp_path: Path) -> None:
    """A line for each."""
    for name in ("DEXATEL__TOKEN", "admin__token"):
        (tmp_path / name).write_text("0123456789abcdef")
    with pytest.raises(ConfigurationError) as caught:
        load_settings({**make_needed(), SECRETS_DIR: str(tmp_path)})
    assert [line.rsplit(" ", 1)[1] for line in str(caught.value).splitlines()] == [
        f"{PREFIX}DEXATEL__TOKEN",
        f"{PREFIX}ADMIN__TOKEN",
    ]


def make_needed() -> dict[str, str]:
    """Make the variables that are needed."""
    return {f"{PREFIX}{name}": value for name, value in NEEDED.items()}
