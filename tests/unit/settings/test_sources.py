"""The sources of settings: which one wins, whatever the case of the names, and where a wrong value is."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.core.errors import ConfigurationError
from bridge.settings.loading import find_overridden, load_settings

NEEDED = "SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS=kafka:9092\n"
SOURCES = ("file", "secrets", "environment")
"""A later one wins."""

SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "absent": lambda _: "",
    "capitals": str.upper,
    "small": str.lower,
    "mixed": str.title,
}
COMBINATIONS = [*product(SPELLINGS, repeat=len(SOURCES))]
GROUP_ID, LEVEL = "SMS_BRIDGE_KAFKA__GROUP_ID", "SMS_BRIDGE_LOG__LEVEL"
"""A setting that takes the name of any source, and one that takes none."""


class Given(NamedTuple):
    """What is given to the service."""

    environ: Mapping[str, str]
    env_file: Path
    places: Mapping[str, str]
    """Where the variable is set, by source; empty for the environment."""


def give(folder: Path, variable: str, spellings: Sequence[str]) -> Given:
    """Set a variable, as it is spelled in each source, to the name of the source."""
    spelled = zip(SOURCES, spellings, strict=True)
    names = {source: name for source, spelling in spelled if (name := SPELLINGS[spelling](variable))}
    env_file, secrets = folder / "bridge.env", folder / "secrets"
    env_file.write_text(NEEDED + (f"{names['file']}=file\n" if "file" in names else ""))
    secrets.mkdir()
    if "secrets" in names:
        (secrets / names["secrets"]).write_text("secrets\n")
    environ = {names["environment"]: "environment"} if "environment" in names else {}
    places = {"file": f"{env_file}:2", "secrets": str(secrets / names.get("secrets", "")), "environment": ""}
    return Given(
        {"SMS_BRIDGE_SECRETS_DIR": str(secrets), **environ}, env_file, {source: places[source] for source in names}
    )


@pytest.mark.parametrize("spellings", COMBINATIONS, ids="-".join)
def test_the_later_source_wins_in_whatever_case(tmp_path: Path, spellings: tuple[str, ...]) -> None:
    """Env file, secrets, environment; the values of the env file that don't count are found."""
    sources = give(tmp_path, GROUP_ID, spellings)
    assert load_settings(sources.environ, sources.env_file).kafka.group_id == ["sms-bridge", *sources.places][-1]
    is_overridden = "file" in sources.places and len(sources.places) > 1
    overridden = {GROUP_ID: sources.places["file"]} if is_overridden else {}
    assert find_overridden(sources.env_file, sources.environ) == overridden


@pytest.mark.parametrize("spellings", COMBINATIONS[1:], ids="-".join)
def test_a_wrong_value_is_reported_with_the_place_that_counts(tmp_path: Path, spellings: tuple[str, ...]) -> None:
    """The line of the env file, or the path of the secret; a variable of the environment has none."""
    sources = give(tmp_path, LEVEL, spellings)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(sources.environ, sources.env_file)
    [line] = str(caught.value).splitlines()
    place = [*sources.places.values()][-1]
    assert line == f"{LEVEL} should be 'debug', 'info', 'warning' or 'error'{f' ({place})' if place else ''}"


LITERAL = st.text("pa$s{}WORD:-#", min_size=1)
"""Values with everything in them that a shell would replace."""


@given(value=LITERAL, quote=st.sampled_from(["", "'", '"']))
@example(value="pa${ss}wo$rd", quote="")
@example(value="${SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS}", quote='"')
@example(value="${HOME:-/root}", quote="'")
def test_an_env_file_is_read_literally(value: str, quote: str) -> None:
    """A password with a `$` is what it is, with or without quotes, which only mark its ends."""
    with NamedTemporaryFile("w", suffix=".env") as file:
        file.write(f"{NEEDED}SMS_BRIDGE_KAFKA__SASL_PASSWORD={quote}{value}{quote}\n")
        file.flush()
        password = load_settings({"SS": "x"}, Path(file.name)).kafka.sasl_password
    assert password
    assert password.get_secret_value() == value


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"it\'s"', "it's"),
        (r"'it\'s \\ \n'", r"it's \ \n"),
        (r'"say \"$x\"\t\\"', 'say "$x"\t\\'),
        ("plain # a comment", "plain"),
        ("plain#none", "plain#none"),
        ("a\"b'c", "a\"b'c"),
    ],
)
def test_quotes_and_comments_of_an_env_file(tmp_path: Path, written: str, read: str) -> None:
    """As docs/settings.md says."""
    env_file = tmp_path / "bridge.env"
    env_file.write_text(f"{NEEDED}{GROUP_ID}={written}\n")
    assert load_settings({}, env_file).kafka.group_id == read


@pytest.mark.parametrize("small_first", [False, True])
def test_of_two_spellings_in_a_source_one_counts(tmp_path: Path, *, small_first: bool) -> None:
    """The later line of an env file; elsewhere, where there is no order, the one in capitals."""
    names = [GROUP_ID, GROUP_ID.lower()][:: -1 if small_first else 1]
    env_file = tmp_path / "bridge.env"
    env_file.write_text(NEEDED + "".join(f"{name}={name}\n" for name in names))
    assert load_settings({}, env_file).kafka.group_id == names[-1]
    spelled = {name: name for name in names}
    assert load_settings(spelled, env_file).kafka.group_id == GROUP_ID
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in names:
        (secrets / name).write_text(name)
    settings = load_settings({"SMS_BRIDGE_SECRETS_DIR": str(secrets)}, env_file)
    assert settings.kafka.group_id == GROUP_ID


FOLDER = "SMS_BRIDGE_SECRETS_DIR"
WHERE_THE_FOLDER_IS_SET = {
    "environment": ("", "secrets", "secrets"),
    "file": ("secrets", None, "secrets"),
    "both": ("others", "secrets", "secrets"),
    "taken away": ("secrets", "", None),
}
"""The folder in the env file and in the environment, and the one that counts."""


@pytest.mark.parametrize(
    ("in_file", "in_environ", "counts"), WHERE_THE_FOLDER_IS_SET.values(), ids=WHERE_THE_FOLDER_IS_SET
)
@pytest.mark.parametrize("spell", [str.upper, str.lower])
def test_the_env_file_may_set_the_folder_of_secrets(
    tmp_path: Path, in_file: str, in_environ: str | None, counts: str | None, spell: Callable[[str], str]
) -> None:
    """Without its secrets, callbacks would not have to be signed. The environment wins, as for any other variable."""
    for name in ("secrets", "others"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "SMS_BRIDGE_DEXATEL__WEBHOOK_SECRET").write_text(f"the-signing-key-of-{name}")
        (tmp_path / name / "SMS_BRIDGE_KAFKA__SASL_PASSWORD").write_text("a-token")

    def path_of(name: str) -> str:
        return str(tmp_path / name) if name else ""

    env_file = tmp_path / "bridge.env"
    env_file.write_text(f"{NEEDED}SMS_BRIDGE_KAFKA__SASL_MECHANISM=OAUTHBEARER\n{spell(FOLDER)}={path_of(in_file)}\n")
    environ = {} if in_environ is None else {spell(FOLDER): path_of(in_environ)}
    settings = load_settings(environ, env_file)
    key, token_file = settings.dexatel.webhook_secret, settings.kafka.oauth.token_file
    assert (key.get_secret_value() if key else None) == (f"the-signing-key-of-{counts}" if counts else None)
    assert token_file == (tmp_path / counts / "SMS_BRIDGE_KAFKA__SASL_PASSWORD" if counts else None)
    is_overridden = in_environ is not None and in_environ != in_file
    assert find_overridden(env_file, environ) == ({FOLDER: f"{env_file}:3"} if is_overridden else {})


def test_secrets_of_an_env_files_folder_override_it(tmp_path: Path) -> None:
    """What the folder has beside the file is found."""
    (tmp_path / "SMS_BRIDGE_KAFKA__GROUP_ID").write_text("secrets")
    env_file = tmp_path / "bridge.env"
    env_file.write_text(f"{NEEDED}{GROUP_ID}=file\n{FOLDER}={tmp_path}\n")
    assert load_settings({}, env_file).kafka.group_id == "secrets"
    assert find_overridden(env_file, {}) == {GROUP_ID: f"{env_file}:2"}


def test_a_folder_that_is_none_is_named_with_its_place(tmp_path: Path) -> None:
    """As any other wrong value."""
    env_file = tmp_path / "bridge.env"
    env_file.write_text(f"{NEEDED}{FOLDER}={tmp_path}/none\n")
    with pytest.raises(ConfigurationError) as caught:
        load_settings({}, env_file)
    assert str(caught.value) == f"{FOLDER} should be a folder; {tmp_path}/none isn't one ({env_file}:2)"
