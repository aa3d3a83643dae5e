"""`make sbom`: what an image contains, in CycloneDX."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT


def write_sbom(folder: Path, image: str) -> Path:
    """Run `make sbom` for one image and return the file."""
    command = ["make", "--silent", "--old-file", "setup", "sbom", f"IMAGES={image}", f"DIST={folder}"]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 - a fixed command
    return folder / f"sms-bridge-{image}.cdx.json"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file about the default image."""
    return write_sbom(tmp_path_factory.mktemp("sbom"), "service")


def test_it_lists_the_lock_file(file: Path) -> None:
    """Each package with its version and the SHA-256 of each of its files, and nothing else."""
    sbom: Any = json.loads(file.read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    assert sbom["metadata"]["component"]["name"] == "sms-bridge"
    lock = re.split(r"^(?=\S)", (ROOT / "requirements/service.lock").read_text(), flags=re.MULTILINE)[1:]
    found = {
        component["purl"]: {
            digest["content"] for reference in component["externalReferences"] for digest in reference["hashes"]
        }
        for component in sbom["components"]
    }
    assert found == {
        "pkg:pypi/{}@{}".format(*re.split(r"==|\s", entry)[:2]): set(re.findall(r"sha256:(\w+)", entry))
        for entry in lock
    }
    assert "pkg:pypi/aiokafka@0.14.0" in found


def test_it_is_reproducible(file: Path, tmp_path: Path) -> None:
    """It has no time and no random number."""
    assert write_sbom(tmp_path, "service").read_bytes() == file.read_bytes()


def test_every_image_has_one() -> None:
    """`make sbom` knows what REQUIREMENTS of the Dockerfile may be: the service, alone or with an extra."""
    images = re.findall(r"^IMAGES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(images) == {"service", *extras} - {"sandbox"}


def test_the_image_makes_it_like_make() -> None:
    """The Dockerfile has the same command, for the lock file that it installs."""
    commands = [
        re.findall(r"-m cyclonedx_py requirements (\S+)(?:\s|\\)+(.*?)\s*--output-file", text, re.DOTALL)
        for text in ((ROOT / "Makefile").read_text(), (ROOT / "Dockerfile").read_text())
    ]
    options = {" ".join(one.replace("\\", "").split()) for found in commands for _, one in found}
    assert options == {"--pyproject pyproject.toml --output-reproducible"}
    assert [lock for lock, _ in commands[1]] == ["requirements/${REQUIREMENTS}.lock", "requirements/dev.lock"]
