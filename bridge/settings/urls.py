"""The types of settings that are URLs, or paths in them. All are checked alike before anything is started. Pure."""

import re
from functools import partial
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from bridge.settings.types import ValueForm

_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\\\[\]{}]+)(:[0-9]{1,5})?"
"""A name or an address, and its port. A user name before it would end up in logs and errors."""

_URL = rf"https?://{_HOST}(/[^\s?#]*)?"
_WITH_QUERY = rf"{_URL}(\?[^\s#]*)?"
_TEMPLATE = rf"https?://{_HOST}[/?][^\s#]*\{{id\}}[^\s#]*"


def _check_url(url: str | None, pattern: str, form: str) -> str | None:
    """Check a URL; an empty one is none."""
    if url and not (re.fullmatch(pattern, url) and url.isprintable() and _has_host(url)):
        raise ValueError(f"should be a URL such as {form}")
    return url


def _has_host(url: str) -> bool:
    """Return whether a connection to the host can be tried: no resolver takes a name such as `a..b`."""
    try:
        parts = urlsplit(url)
        port, labels = parts.port, (parts.hostname or "").encode("idna").removesuffix(b".").split(b".")
    except ValueError:
        return False
    return port != 0 and all(labels)


_check_plain = partial(
    _check_url, pattern=_URL, form="https://name.example.com/path, without user name, query and fragment"
)
_check_with_query = partial(
    _check_url, pattern=_WITH_QUERY, form="https://name.example.com/path?a=b, without user name and fragment"
)
_check_template = partial(
    _check_url, pattern=_TEMPLATE, form="https://name.example.com/messages/{id}, without user name and fragment"
)


def _check_path_template(path: str) -> str:
    if path and "{id}" not in path:
        raise ValueError("should contain {id}, which stands for the message id, such as /messages/{id}")
    return path


Url = Annotated[str, AfterValidator(_check_plain), ValueForm("URL", f"^({_URL})?$")]
UrlWithQuery = Annotated[str, AfterValidator(_check_with_query), ValueForm("URL", f"^({_WITH_QUERY})?$")]
UrlTemplate = Annotated[str | None, AfterValidator(_check_template), ValueForm("URL with `{id}`", f"^({_TEMPLATE})?$")]
PathTemplate = Annotated[str, AfterValidator(_check_path_template), ValueForm("path with `{id}`", r"^(.*\{id\}.*)?$")]
