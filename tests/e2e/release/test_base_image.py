"""The base of the image is pinned by digest, and can be refreshed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.paths import ROOT

PINNED = re.compile(r"^ARG BASE=(\S+:\S+)@sha256:([0-9a-f]{64})$", re.MULTILINE)


def test_the_base_is_pinned() -> None:
    """By a tag, for people, and a digest, for the build; every stage begins from it or from another stage."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert PINNED.search(dockerfile)
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", dockerfile, re.MULTILINE))
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) <= stages | {"${BASE}"}


def make_base_image(folder: Path, docker: str) -> subprocess.CompletedProcess[str]:
    """Run `make base-image` on a copy, with a script as docker."""
    for name in ("Makefile", "Dockerfile"):
        shutil.copy(ROOT / name, folder)
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{docker}\n")
    program.chmod(0o755)
    command = ["make", "--silent", "base-image"]
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)  # noqa: S603 - a fixed command


def test_make_base_image_pins_what_the_tag_means_now(tmp_path: Path) -> None:
    """It asks docker for the tag's digest, and changes nothing else."""
    digest = f"sha256:{'a' * 64}"
    done = make_base_image(tmp_path, f'echo "$@" >"{tmp_path}/asked"; echo {digest}')
    before = (ROOT / "Dockerfile").read_text()
    tag = PINNED.findall(before)[0][0]
    assert (done.returncode, done.stdout) == (0, f"ARG BASE={tag}@{digest}\n")
    assert (tmp_path / "asked").read_text().startswith(f"buildx imagetools inspect {tag} ")
    assert (tmp_path / "Dockerfile").read_text() == PINNED.sub(f"ARG BASE={tag}@{digest}", before)


def test_an_unknown_tag_changes_nothing(tmp_path: Path) -> None:
    """Where docker fails, the pinned digest stays."""
    assert make_base_image(tmp_path, "exit 1").returncode
    assert (tmp_path / "Dockerfile").read_text() == (ROOT / "Dockerfile").read_text()
