"""Settings: how they are parsed, and that a mistake is reported in one line."""

from collections.abc import Mapping
from datetime import UTC
from pathlib import Path

import pytest

from bridge.accounts import build_accounts
from bridge.core.delivery import Reason, Status, Verdict
from bridge.core.errors import ConfigurationError
from bridge.core.schedule import ALWAYS, FALLBACK
from bridge.settings.loading import find_overridden, load_settings

SECRET = "a-secret-of-16-or-more"
BASE = {
    "SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS": "one:9092, two:9092",
    "SMS_BRIDGE_DEXATEL__CALLBACK_SECRETS": SECRET,
    "SMS_BRIDGE_DEXATEL__POLL": "never",
}


ACME = {"ID": "/id", "STATUS": "/status", "STATUSES": '{"ok":"delivered"}'}
"""The settings that reading a webhook's callbacks requires."""


def make_environ(**changes: str) -> dict[str, str]:
    """Make an environment of the base and more variables; names are without their prefix."""
    return BASE | {f"SMS_BRIDGE_{name}": value for name, value in changes.items()}


def test_defaults_are_the_documented_ones() -> None:
    """With the required settings only, all others have their defaults."""
    settings = load_settings(BASE)
    assert settings.kafka.bootstrap_servers == ("one:9092", "two:9092")
    assert settings.kafka.group_id == "sms-bridge"
    assert settings.topics.sent == ("sms.sent",)
    assert (settings.topics.journal_partitions, settings.topics.delivery_partitions) == (24, 12)
    assert (settings.http.port, settings.admin.port) == (8080, 9090)
    assert (settings.http.ack_timeout, settings.http.max_waiting) == (5_000, 1000)
    assert settings.follow.to_policy().max_follow == 7 * 86_400_000
    assert settings.dexatel.give_up_after == 47 * 3_600_000
    assert settings.speedocom.give_up_after == 48 * 3_600_000
    assert settings.dexatel.timezone is UTC
    assert settings.event_source == "/sms-bridge/sms-bridge"


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("500ms", 500), ("90s", 90_000), ("15m", 900_000), ("47h", 169_200_000), ("1.5d", 129_600_000)],
)
def test_durations_have_units(text: str, milliseconds: int) -> None:
    """A duration is a number and its unit."""
    assert load_settings(make_environ(FOLLOW__PARK_FOR=text)).follow.park_for == milliseconds


@pytest.mark.parametrize(
    ("text", "ages"),
    [
        ("fallback", FALLBACK),
        ("always", ALWAYS),
        ("never", ()),
        ("4s,1s,2s", (1_000, 2_000, 4_000)),
        ('["1m"]', (60_000,)),
    ],
)
def test_polls_have_modes_or_a_list_of_ages(text: str, ages: tuple[int, ...]) -> None:
    """A schedule is named, or listed with commas or as JSON."""
    assert load_settings(make_environ(DEXATEL__POLL=text)).dexatel.poll == ages


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "KAFKA__BOOTSTRAP",
            "x",
            "SMS_BRIDGE_KAFKA__BOOTSTRAP: unknown setting; did you mean SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS?",
        ),
        ("KAFK__GROUP_ID", "x", "KAFK__GROUP_ID: unknown setting; did you mean SMS_BRIDGE_KAFKA__GROUP_ID?"),
        ("KAFKA_GROUP_ID", "x", "KAFKA_GROUP_ID: unknown setting; did you mean SMS_BRIDGE_KAFKA__GROUP_ID?"),
        ("COLOUR", "x", "SMS_BRIDGE_COLOUR: unknown setting; docs/settings.md lists all settings"),
        ("HTTP__PORT", "eighty", "SMS_BRIDGE_HTTP__PORT should be a whole number"),
        ("HTTP__PORT", "80808", "SMS_BRIDGE_HTTP__PORT should be less than or equal to 65535"),
        (
            "FOLLOW__PARK_FOR",
            "6",
            "SMS_BRIDGE_FOLLOW__PARK_FOR should be a duration such as 500ms, 90s, 15m, 47h or 2d",
        ),
        ("FOLLOW__EMIT", "some", "SMS_BRIDGE_FOLLOW__EMIT should be 'all' or 'final'"),
        ("KAFKA__CREATE_TOPICS", "perhaps", "SMS_BRIDGE_KAFKA__CREATE_TOPICS should be true or false"),
        ("DEXATEL__POLL", "often", "should be fallback, always, never, or a list of ages such as 1m,10m,1h"),
        ("DEXATEL__TIMEZONE", "Nowhere/Land", "SMS_BRIDGE_DEXATEL__TIMEZONE should be a time zone"),
        (
            "DEXATEL__CALLBACK_SECRETS",
            "short",
            "SMS_BRIDGE_DEXATEL__CALLBACK_SECRETS should be a list of secrets, each",
        ),
        (
            "DEXATEL__CALLBACK_SECRETS",
            "with/slash-and-long-enough",
            "SMS_BRIDGE_DEXATEL__CALLBACK_SECRETS should be a list",
        ),
        ("DEXATEL__STATUSES", '{"x":"lost"}', "'x' should map to one of scheduled, pending"),
        ("DEXATEL__STATUSES", '{"x":{"status":"sent","final":true}}', "'x' should map to one of"),
        ("DEXATEL__ALLOWED_NETWORKS", "home", "SMS_BRIDGE_DEXATEL__ALLOWED_NETWORKS should be a list of networks"),
        (
            "DEXATEL__ACCOUNTS__PROMO__TOKN",
            "x",
            "TOKN: unknown setting; did you mean SMS_BRIDGE_DEXATEL__ACCOUNTS__PROMO__TOKEN?",
        ),
        ("WEBHOOKS__AC ME__ID", "/id", "SMS_BRIDGE_WEBHOOKS__AC ME should be a provider's name: at most"),
        ("WEBHOOKS__ACME__ID", "id", "SMS_BRIDGE_WEBHOOKS__ACME__ID should be a JSON pointer such as /data/id"),
        ("WEBHOOKS__ACME__DETAILS", '{"price":"cost"}', "SMS_BRIDGE_WEBHOOKS__ACME__DETAILS should be a JSON pointer"),
        (
            "WEBHOOKS__ACME__DETAILS",
            '{"colour":"/c"}',
            "ACME__DETAILS 'colour' should be one of mccmnc, segments, price",
        ),
        ("WEBHOOKS__ACME__WHERE", '{"/event":"x"}', "SMS_BRIDGE_WEBHOOKS__ACME__WHERE should be a JSON object of"),
        ("WEBHOOKS__ACME__STATUSES", '{"x":"lost"}', "SMS_BRIDGE_WEBHOOKS__ACME__STATUSES 'x' should map to one of"),
        ("WEBHOOKS__ACME__POLL", "always", "ACME__POLL is a group of settings; docs/settings.md lists its members"),
        ("DEXATEL__STATUSES", "delivered", "SMS_BRIDGE_DEXATEL__STATUSES should be a JSON object"),
        ("DEXATEL__STATUSES", '{"x":{"reason":"none"}}', "'x' should map to one of"),
        ("DEXATEL__STATUSES", '{"x":{"status":"sent","reason":"bad"}}', "'x' should map to one of"),
        ("DEXATEL__STATUSES", '{"x":{"status":"sent","permanent":"no"}}', "'x' should map to one of"),
        ("DEXATEL__STATUSES", '{"x":7}', "'x' should map to one of"),
        ("SENT__FIELDS", "message_id", "SMS_BRIDGE_SENT__FIELDS should be a JSON object"),
        ("SENT__START", "yesterday", "SMS_BRIDGE_SENT__START should be horizon, earliest, latest, or a time"),
        ("PRIVACY__RECIPIENT", "hash", "SMS_BRIDGE_PRIVACY__HASH_KEY is needed when PRIVACY__RECIPIENT is hash"),
        ("REGISTRY__WIRE_FORMAT", "true", "SMS_BRIDGE_REGISTRY__URL is needed when REGISTRY__WIRE_FORMAT is true"),
        ("WEBHOOKS__ACME__SIGNATURE__HEADER", "X-Sig", "SMS_BRIDGE_WEBHOOKS__ACME__SIGNATURE__SECRET is needed"),
        ("WEBHOOKS__ACME__SIGNATURE__TEMPLATE", "{bdy}", "SIGNATURE__TEMPLATE should have {body}, {parameters} or"),
        ("WEBHOOKS__ACME__SIGNATURE__TEMPLATE", "{timestamp}", "SIGNATURE__TEMPLATE should have {body}"),
        ("WEBHOOKS__ACME__SIGNATURE__TEMPLATE", "", "SIGNATURE__TEMPLATE should have {body}"),
        ("WEBHOOKS__ACME__SIGNATURE__TEMPLATE", "{id}.{body}", "SIGNATURE__ID_HEADER is needed for {id}"),
        ("WEBHOOKS__ACME__SIGNATURE__SECRET", "whsec_not-base64-at-all", "isn't the base64 that it should be"),
        ("WEBHOOKS__ACME__TIME_FORMAT", "%H:%M", "ACME__TIME_FORMAT should be a form of dates with times"),
        ("WEBHOOKS__ACME__ID_FORM", "upper", "ACME__ID_FORM should be a list of casefold"),
        ("WEBHOOKS__ACME__CODES", '{"7":"failed"}', "ACME__CODES '7' should map to an object"),
        ("WEBHOOKS__ACME__METHODS", "DELETE", "ACME__METHODS should be 'GET', 'POST'"),
        ("WEBHOOKS__ACME__POLL__URL", "http://{id}/x", "ACME__POLL__URL should be a URL such as"),
        ("WEBHOOKS__ACME__POLL__HEADERS", '{"A":"{key}"}', "ACME__POLL {key} is no secret; set POLL__SECRETS__KEY"),
        ("WEBHOOKS__ACME__POLL__SECRETS__ID", "x", "ACME__POLL {id} stands for the message id"),
        ("WEBHOOKS__ACME__ANSWER__STATUS", "500", "ACME__ANSWER__STATUS should be less than or equal to 299"),
        ("DEXATEL__POLL_PATH", "/x", "SMS_BRIDGE_DEXATEL__POLL_PATH should contain {id}"),
        ("DEXATEL__ACCOUNTS__PROMO__POLL_PATH", "/{ID}", "PROMO__POLL_PATH should contain {id}"),
        ("HTTP__PUBLIC_URL", "sms.example", "SMS_BRIDGE_HTTP__PUBLIC_URL should be a URL such as"),
        ("HTTP__HEALTH_PATH", "healthz", "SMS_BRIDGE_HTTP__HEALTH_PATH should be a path such as /healthz"),
        ("HTTP__HEALTH_PATH", "/dlr/x", "SMS_BRIDGE_HTTP__HEALTH_PATH should be a path such as /healthz"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(name: str, value: str, expected: str) -> None:
    """One line names the variable and what it should be, but not the wrong value."""
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(make_environ(**{name: value}))
    (line,) = str(refusal.value).splitlines()
    assert expected in line
    if "SECRET" in name:
        assert value not in line


@pytest.mark.parametrize("secret", ["", " ", "short", "x" * 15, " " * 40])
@pytest.mark.parametrize(
    "name", ["ADMIN__TOKEN", "PRIVACY__HASH_KEY", "DEXATEL__WEBHOOK_SECRET", "WEBHOOKS__ACME__SIGNATURE__SECRET"]
)
def test_empty_and_short_keys_are_refused(name: str, secret: str) -> None:
    """A key that can be guessed, or that a missing variable left empty, stops the start."""
    acme = {"WEBHOOKS__ACME__SIGNATURE__HEADER": "x-signature"} if "ACME" in name else {}
    with pytest.raises(ConfigurationError, match=f"SMS_BRIDGE_{name} should have at least 16 characters"):
        load_settings(make_environ(**acme, **{name: secret}))


@pytest.mark.parametrize("name", ["KAFKA__SASL_PASSWORD", "DEXATEL__TOKEN", "SPEEDOCOM__API_KEY", "REGISTRY__PASSWORD"])
def test_empty_credentials_are_refused(name: str) -> None:
    """A credential that is set and empty is a mistake; only its issuer decides how long it is."""
    with pytest.raises(ConfigurationError, match=f"SMS_BRIDGE_{name} should not be empty"):
        load_settings(make_environ(**{name: " "}))


def test_what_is_missing_is_named() -> None:
    """Kafka's address is required."""
    with pytest.raises(ConfigurationError, match="SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS is missing"):
        load_settings({})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"DEXATEL__POLL": "fallback"}, "SMS_BRIDGE_DEXATEL__BASE_URL is missing: polls require it"),
        (
            {"DEXATEL__POLL": "1s", "DEXATEL__BASE_URL": "http://x", "DEXATEL__TOKEN": "t"},
            "SMS_BRIDGE_DEXATEL__POLL_PATH",
        ),
        ({"SPEEDOCOM__BASE_URL": "http://x"}, "SMS_BRIDGE_SPEEDOCOM__API_KEY is missing"),
        ({"SPEEDOCOM__POLL": "never"}, "SMS_BRIDGE_SPEEDOCOM__CALLBACK_SECRETS is missing"),
        (
            {"WEBHOOKS__ACME__ID": "/id"},
            "SMS_BRIDGE_WEBHOOKS__ACME__STATUS is missing: it is required to read callbacks",
        ),
        (
            {f"WEBHOOKS__ACME__{n}": v for n, v in ACME.items()},
            "SMS_BRIDGE_WEBHOOKS__ACME__CALLBACK_SECRETS is missing",
        ),
        ({"WEBHOOKS__ACME__SIGNATURE__ENCODING": "x"}, "ACME__SIGNATURE__ENCODING should be 'hex' or 'base64'"),
        ({"WEBHOOKS__DEXATEL__ID": "/id"}, "dexatel is a built-in provider; choose another name"),
        ({"DEXATEL__ENABLED": "false"}, "configure at least one provider"),
        ({"DEXATEL__ACCOUNTS__PROMO__CALLBACK_SECRETS": SECRET}, "the accounts default and promo share a secret"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, str], expected: str) -> None:
    """Polls without required settings, a provider without callbacks or polls, or a shared secret are rejected."""
    with pytest.raises(ConfigurationError) as refusal:
        build_accounts(load_settings(make_environ(**changes)))
    assert expected in str(refusal.value)
    assert SECRET not in str(refusal.value)


PATHLESS = {
    "WEBHOOKS__ACME__ID": "/id",
    "WEBHOOKS__ACME__STATUS": "/status",
    "WEBHOOKS__ACME__STATUSES": '{"done":"delivered"}',
    "WEBHOOKS__ACME__SECRET_IN_PATH": "false",
    "WEBHOOKS__ACME__BASIC_AUTH__USERNAME": "acme",
    "WEBHOOKS__ACME__BASIC_AUTH__PASSWORD": "a-password-of-acme",
}


@pytest.mark.parametrize(
    ("second", "alike"),
    [
        ({"TIMEZONE": "UTC"}, True),
        ({"HEADER_AUTH__NAME": "X-Key", "HEADER_AUTH__VALUE": "the-key-of-the-second"}, True),
        ({"BASIC_AUTH__USERNAME": "two", "BASIC_AUTH__PASSWORD": "another-password-of-acme"}, False),
        ({"SECRET_IN_PATH": "true", "CALLBACK_SECRETS": "the-secret-of-the-second"}, False),
    ],
)
def test_accounts_without_a_secret_can_be_told_apart(second: Mapping[str, str], *, alike: bool) -> None:
    """No callback may be of two accounts: credentials that the second one inherits would be."""
    named = {f"WEBHOOKS__ACME__ACCOUNTS__TWO__{name}": value for name, value in second.items()}
    settings = load_settings(make_environ(**PATHLESS, **named))
    if not alike:
        assert ("acme", "two") in build_accounts(settings)
        return
    with pytest.raises(ConfigurationError, match="default and two share"):
        build_accounts(settings)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"CALLBACK_SECRETS": "a-secret-of-the-path"}, "CALLBACK_SECRETS are for the path"),
        ({"HEADER_AUTH__NAME": "authorization", "HEADER_AUTH__VALUE": "Bearer of-something-long"}, "the same header"),
    ],
)
def test_contradictions_are_refused(settings: Mapping[str, str], error: str) -> None:
    """Of two settings that can't both count, none is silently left out."""
    acme = {f"WEBHOOKS__ACME__{name}": value for name, value in settings.items()}
    with pytest.raises(ConfigurationError, match=error):
        load_settings(make_environ(**PATHLESS, **acme))


@pytest.mark.parametrize("lonely", ["PART", "PARTS"])
def test_a_part_needs_the_number_of_parts(lonely: str) -> None:
    """And the other way round."""
    acme = {"WEBHOOKS__ACME__SECRET_IN_PATH": "true", "WEBHOOKS__ACME__CALLBACK_SECRETS": "a-secret-of-the-path"}
    settings = load_settings(make_environ(**PATHLESS | acme, **{f"WEBHOOKS__ACME__{lonely}": "/n"}))
    with pytest.raises(ConfigurationError, match=r"ACME__PARTS? is missing"):
        build_accounts(settings)


def test_an_account_inherits_all_but_its_secrets() -> None:
    """A named account inherits the flat settings that it doesn't set, except for secrets, which identify it."""
    settings = load_settings(
        make_environ(
            DEXATEL__BASE_URL="http://dexatel.example/",
            DEXATEL__POLL_PATH="/dlr/{id}",
            DEXATEL__TOKEN="flat-token",
            DEXATEL__RATE_PER_SECOND="7",
            DEXATEL__POLL="1m",
            DEXATEL__ACCOUNTS__PROMO__TOKEN="0042",
        )
    )
    accounts = build_accounts(settings)
    assert set(accounts) == {("dexatel", "default"), ("dexatel", "promo")}
    promo, default = accounts["dexatel", "promo"], accounts["dexatel", "default"]
    assert promo.polls
    assert promo.polls.rate_per_second == 7
    assert promo.access is None
    assert promo.polls.dialect.build_poll_request("1").headers["token"] == "0042"
    assert default.polls
    assert default.polls.dialect.build_poll_request("1").headers["token"] == "flat-token"


def test_status_tables_become_verdicts() -> None:
    """A provider's new status is mapped without a release; the mapped status decides whether it is final."""
    barred = '{"status":"rejected","reason":"blocked_by_recipient","permanent":true}'
    table = f'{{"OnHold":"pending","Barred":{barred},"Gone":"expired"}}'
    assert load_settings(make_environ(DEXATEL__STATUSES=table)).dexatel.statuses == {
        "OnHold": Verdict(Status.PENDING),
        "Barred": Verdict(Status.REJECTED, Reason.BLOCKED_BY_RECIPIENT, permanent=True),
        "Gone": Verdict(Status.EXPIRED, Reason.VALIDITY_EXPIRED),
    }


def test_a_webhook_is_a_provider_like_another() -> None:
    """A provider that settings alone describe has accounts, secrets and a deadline of its own, and is never polled."""
    settings = {f"WEBHOOKS__ACME_SMS__{name}": value for name, value in ACME.items()}
    accounts = build_accounts(
        load_settings(
            make_environ(
                **settings,
                WEBHOOKS__ACME_SMS__CALLBACK_SECRETS="the-first-secret-of-acme",
                WEBHOOKS__ACME_SMS__GIVE_UP_AFTER="3h",
                WEBHOOKS__ACME_SMS__ACCOUNTS__PROMO__CALLBACK_SECRETS="the-other-secret-of-acme",
            )
        )
    )
    assert set(accounts) == {("dexatel", "default"), ("acme-sms", "default"), ("acme-sms", "promo")}
    promo = accounts["acme-sms", "promo"]
    assert (promo.give_up_after_ms, promo.poll_ages, promo.dialect.account) == (3 * 3_600_000, (), "promo")


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    """The files of a mounted secret are variables; the environment has priority."""
    (tmp_path / "SMS_BRIDGE_DEXATEL__TOKEN").write_text("from-a-file\n")
    (tmp_path / "SMS_BRIDGE_KAFKA__GROUP_ID").write_text("from-a-file\n")
    (tmp_path / "..data").mkdir()
    settings = load_settings(make_environ(SECRETS_DIR=str(tmp_path), KAFKA__GROUP_ID="from-the-environment"))
    assert settings.dexatel.token is not None
    assert settings.dexatel.token.get_secret_value() == "from-a-file"
    assert settings.kafka.group_id == "from-the-environment"


def test_overridden_variables_of_an_env_file_are_found(tmp_path: Path) -> None:
    """Those that have another value in the environment or among the secrets, not those with the same."""
    secrets, file = tmp_path / "secrets", tmp_path / "local.env"
    secrets.mkdir()
    (secrets / "SMS_BRIDGE_ADMIN__TOKEN").write_text("from-the-secrets")
    file.write_text(
        "SMS_BRIDGE_ADMIN__TOKEN=from-the-file\nSMS_BRIDGE_HTTP__PORT=1\nSMS_BRIDGE_http__host=::\nSMS_BRIDGE_ADMIN__PORT=2\n"
    )
    environ = {
        "SMS_BRIDGE_SECRETS_DIR": str(secrets),
        "SMS_BRIDGE_HTTP__PORT": "1",
        "SMS_BRIDGE_HTTP__HOST": "127.0.0.1",
    }
    found = find_overridden(file, environ)
    assert found == {"SMS_BRIDGE_ADMIN__TOKEN": f"{file}:1", "SMS_BRIDGE_HTTP__HOST": f"{file}:3"}
    assert find_overridden(None, environ) == {}


def test_an_env_file_is_read_only_when_asked(tmp_path: Path) -> None:
    """Settings are read from a file only with --env-file."""
    (tmp_path / ".env").write_text("SMS_BRIDGE_KAFKA__GROUP_ID=from-a-file\nOTHER=1\n")
    assert load_settings(BASE, tmp_path / ".env").kafka.group_id == "from-a-file"
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_settings(BASE, tmp_path / "missing")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """An env file, or a secret."""
    (tmp_path / "SMS_BRIDGE_DEXATEL__TOKEN").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="SMS_BRIDGE_DEXATEL__TOKEN"):
        load_settings(make_environ(SECRETS_DIR=str(tmp_path)))
    with pytest.raises(ConfigurationError, match="--env-file"):
        load_settings(BASE, tmp_path / "SMS_BRIDGE_DEXATEL__TOKEN")


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("::ffff:198.51.100.0/120", "198.51.100.0/24"),
        ("::ffff:198.51.100.7", "198.51.100.7/32"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::/0", "::/0"),
    ],
)
def test_mapped_networks_are_ipv4(text: str, network: str) -> None:
    """Clients' addresses are compared as IPv4 where they are."""
    account = build_accounts(load_settings(make_environ(DEXATEL__ALLOWED_NETWORKS=text)))["dexatel", "default"]
    assert account.access
    assert list(map(str, account.access.networks)) == [network]


def test_no_secret_shows_in_a_representation() -> None:
    """However settings are printed, secrets stay hidden."""
    settings = load_settings(make_environ(DEXATEL__TOKEN="token-token-token", KAFKA__SASL_PASSWORD="password-password"))
    for text in (repr(settings), str(settings), repr(build_accounts(settings)), str(settings.model_dump())):
        assert SECRET not in text
        assert "token-token-token" not in text
        assert "password-password" not in text
