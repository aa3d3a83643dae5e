"""URLs: each setting that is one is checked alike, before anything is started or created."""

import re

import pytest

from bridge.core.errors import ConfigurationError
from bridge.settings.model import Settings
from scripts.values_schema import NAME, list_settings
from tests.support.settings import settings_of

TEMPLATES = ("WEBHOOKS__ACME__POLL__URL", "WEBHOOKS__ACME__ACCOUNTS__TWO__POLL__URL")
WITH_QUERY = ("KAFKA__OAUTH__TOKEN_URL", *TEMPLATES)
PLAIN = (
    "REGISTRY__URL",
    "HTTP__PUBLIC_URL",
    "ADMIN__RUNBOOK_BASE",
    *(f"{group}__{name}" for group in ("DEXATEL", "SPEEDOCOM") for name in ("BASE_URL", "ACCOUNTS__TWO__BASE_URL")),
)
CLIENT = {"KAFKA__OAUTH__CLIENT_ID": "x", "KAFKA__OAUTH__CLIENT_SECRET": "x"}
"""What a URL of tokens needs."""

HOSTS = ("x", "name.example.com", "a_b.c-d.", "bücher.example", "192.0.2.7", "[2001:db8::1]")
ENDS = (":1", ":65535/", "/", "/a/b;c=d/%20", "/a@b:c", "/ä")
NO_HOSTS = (
    "",
    ":80",
    "a..b",
    ".a",
    "a b",
    "…",
    "user@a",
    "user:word@a",
    "a:0",
    "a:65536",
    "a:b",
    "[::1",
    "[1:2]",
    "{a}",
    "a\\b",
    "x" * 64,
)


def refuse(setting: str, url: str) -> None:
    """Check that a URL is refused with the setting's name, and without what may be a password."""
    with pytest.raises(ConfigurationError) as caught:
        settings_of(**{setting: url})
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"SMS_BRIDGE_{setting} should be a URL such as https://name.example.com/"), url
    assert "word" not in line


def read(setting: str, url: str) -> None:
    """Check that a URL is taken."""
    settings_of(**{setting: url}, **(CLIENT if setting.startswith("KAFKA") and url else {}))


@pytest.mark.parametrize("setting", [*PLAIN, *WITH_QUERY])
def test_urls_with_a_host_are_taken(setting: str) -> None:
    """With a port, a path, or neither."""
    rest = "/{id}" if setting in TEMPLATES else ""
    for place in ("", *(f"http://{host}{rest}" for host in HOSTS), *(f"https://x{end}{rest}" for end in ENDS)):
        read(setting, place)


@pytest.mark.parametrize("setting", [*PLAIN, *WITH_QUERY])
def test_what_is_no_url_is_refused(setting: str) -> None:
    """No scheme or another one, no host or an impossible one, a user name, a fragment, blanks, control characters."""
    rest = "/{id}" if setting in TEMPLATES else ""
    for host in NO_HOSTS:
        refuse(setting, f"https://{host}{rest}")
    for url in (
        "foo",
        "x.example",
        "//x",
        "ftp://x",
        "https:/x",
        "https:x",
        " https://x",
        "https://x/a b",
        "https://x/\a",
    ):
        refuse(setting, f"{url}{rest}")
    for end in ("#", "#a", " ", "\n"):
        refuse(setting, f"https://x{rest}{end}")


@pytest.mark.parametrize("setting", [*PLAIN, *WITH_QUERY])
def test_only_some_urls_have_a_query(setting: str) -> None:
    """A path or another query is appended to the others."""
    for query in ("?", "?a=b", "?a=b@c&d"):
        (refuse if setting in PLAIN else read)(setting, f"https://x{'/{id}' if setting in TEMPLATES else ''}{query}")


@pytest.mark.parametrize("url", ["https://x", "https://x/", "https://{id}/x", "https://x/{ID}", "https://x?id"])
def test_a_template_has_the_id_in_path_or_query(url: str) -> None:
    """Polls of all messages would ask the same otherwise."""
    refuse(TEMPLATES[0], url)
    read(TEMPLATES[0], "https://x?id={id}&b")


def test_each_setting_that_is_a_url_is_among_these() -> None:
    """Those of the chart have the same patterns: what it takes, the service takes, but for names of hosts."""
    known = {re.sub("(?<=WEBHOOKS__)ACME|(?<=ACCOUNTS__)TWO", "NAME", name) for name in (*PLAIN, *WITH_QUERY)}
    found = {
        (setting.prefix + setting.name).replace(NAME, "NAME__"): setting.schema.get("pattern", "")
        for setting in list_settings(Settings)
        if setting.name.endswith(("URL", "RUNBOOK_BASE"))
    }
    assert found.keys() == known
    for name, pattern in found.items():
        assert re.search(pattern, "https://name.example.com/path/{id}"), name
        assert not re.search(pattern, "name.example.com"), name
