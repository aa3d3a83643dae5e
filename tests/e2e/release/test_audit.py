"""`make audit`: known vulnerabilities of the packages in the images."""

import json
import os
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from scripts.licences import IMAGES, read_lock_file
from tests.support.paths import ROOT
from tests.support.ports import find_free_ports


class Database(ThreadingHTTPServer):
    """A database of vulnerabilities with OSV's interface."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.vulnerable = ""
        self.asked: set[str] = set()

    @property
    def url(self) -> str:
        """Where queries are sent."""
        return f"http://127.0.0.1:{self.server_port}/v1/query"


class Answer(BaseHTTPRequestHandler):
    """Answers a query."""

    server: Database

    def do_POST(self) -> None:
        """Report one vulnerability of one package."""
        package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]
        self.server.asked.add(package["name"])
        found = {"id": "TEST-2026-1", "summary": "made up", "affected": [{"package": package, "ranges": []}]}
        body = json.dumps({"vulns": [found]} if package["name"] == self.server.vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def database() -> Iterator[Database]:
    """A database that can be reached."""
    with Database() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def audit(url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/audit."""
    environment = {**os.environ, "OSV_URL": url, **variables}
    return subprocess.run([ROOT / "scripts/audit"], env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own script


def test_every_package_of_every_image_is_looked_up(database: Database) -> None:
    """Without a known vulnerability, it passes and says so in one line."""
    result = audit(database.url)
    assert (result.returncode, result.stdout) == (0, "No known vulnerabilities found\n")
    assert database.asked == {package for image in IMAGES for package in read_lock_file(image)}


def test_a_known_vulnerability_fails(database: Database) -> None:
    """It names the package and the vulnerability."""
    database.vulnerable = "botocore"
    result = audit(database.url)
    assert result.returncode == 1
    assert "botocore" in result.stdout
    assert "TEST-2026-1" in result.stdout


def test_where_no_database_can_be_reached_it_says_so() -> None:
    """One line; with STRICT=1, an error, so that a release isn't published without an audit."""
    for strict, code in (("0", 0), ("1", 1)):
        result = audit(f"http://127.0.0.1:{find_free_ports(1)[0]}/v1/query", STRICT=strict)
        assert result.stdout == "audit: skipped, no database of vulnerabilities can be reached\n"
        assert (result.returncode, result.stderr) == (code, "")


def test_another_failure_is_not_a_skip(database: Database) -> None:
    """An answer that isn't OSV's fails, with what went wrong."""
    result = audit(database.url.replace("127.0.0.1", "no scheme"))
    assert result.returncode == 1
    assert "skipped" not in result.stdout
    assert result.stderr
