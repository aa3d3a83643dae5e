"""Generates docs/licences.md from the lock files and the metadata of the installed packages (`make docs`)."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"

IMAGES = {
    "service": "always",
    "otel": "`[otel]`",
    "msk": "`[msk]`",
    "registry": "`[registry]`",
}
"""The lock files of what is distributed, and when their packages are installed."""

WHOLE_TEXTS = {"httpx-aiohttp": "BSD-3-Clause"}
"""Packages whose metadata contains the licence's whole text, and the licence."""

HEAD = """\
# Licences of the dependencies

<!-- written by `make docs` from requirements/ and the packages' metadata -->

sms-bridge is under the [Apache License 2.0](../LICENSE). An installation contains these packages, under the licences
that they declare. The packages of the tests and tools are not listed, because they are not distributed; nor are the
few that only Windows needs. [The supply chain](supply-chain.md) says how to get the list of an image's contents.

| package | version | licence | installed |
|---|---|---|---|
"""


def read_lock_file(name: str) -> dict[str, str]:
    """Return the versions of the packages in a lock file that Linux and macOS need, by name."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    found = re.findall(r"^([a-z0-9-]+)==(\S+)(?: ; (.+?))? \\$", text, re.MULTILINE)
    return {package: version for package, version, marker in found if "win32" not in marker}


def read_licences(packages: set[str]) -> dict[str, tuple[str, str]]:
    """Return the version and the licence of installed packages, by their names in lock files."""
    command = [sys.executable, "-m", "piplicenses", "--format=json", "--packages", *sorted(packages)]
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout  # noqa: S603 - a fixed command
    rows = {re.sub(r"[-_.]+", "-", row["Name"]).lower(): row for row in json.loads(output)}
    return {name: (row["Version"], WHOLE_TEXTS.get(name, row["License"])) for name, row in rows.items()}


def format_page() -> str:
    """Return the page.

    Raises:
        LookupError: The installed packages aren't those of the lock files.
    """
    locks = {name: read_lock_file(name) for name in IMAGES}
    versions = {package: version for lock in locks.values() for package, version in lock.items()}
    licences = read_licences(set(versions))
    stale = [package for package, version in versions.items() if licences.get(package, ("", ""))[0] != version]
    if stale:
        raise LookupError(f"not installed as locked, run `make setup`: {', '.join(stale)}")
    rows = []
    for package, version in sorted(versions.items()):
        images = [when for name, when in IMAGES.items() if package in locks[name]]
        when = images[0] if images[0] == "always" else " ".join(images)
        rows.append(f"| {package} | {version} | {licences[package][1]} | {when} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(format_page())
