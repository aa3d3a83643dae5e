"""The responses of the status page's routes: JSON and files, with the headers that keep a browser strict."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from bridge.http_server.messages import Response
from bridge.text import encode_document

SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers of every answer: nothing from elsewhere, nothing inline, nothing kept."""


def make_json(body: Any, status: int = 200) -> Response:
    """Make a response with a JSON document."""
    return Response(status, encode_document(body), {**SECURITY_HEADERS, "content-type": "application/json"})


def make_error(text: str, status: int) -> Response:
    """Make a response that says what is wrong."""
    return make_json({"error": text}, status)


def read_static_file(name: str, content_type: str) -> Response:
    """Make the response with a file of the page."""
    body = (files("bridge.admin") / "static" / name).read_bytes()
    return Response(200, body, {**SECURITY_HEADERS, "content-type": content_type})
