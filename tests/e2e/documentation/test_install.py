"""The README's installation: from the wheel, with uv, to the first event; and what it says of the image."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import bridge
from tests.support.documentation.blocks import blocks, commands
from tests.support.documentation.installation import block, shell, story
from tests.support.documentation.runtimes import run
from tests.support.paths import ROOT
from tests.support.ports import find_free_ports
from tests.support.service.fleet import Fleet

LINES = [command for one in blocks("console") if one.place[:2] == ("README.md", "Install") for command in commands(one)]
[WITH_UV] = [command for command in LINES if command.words[0] == "uv"]


async def install(folder: Path) -> None:
    """Build the wheel and install it as printed, with its programs in `bin` of the folder."""
    subprocess.run([ROOT / "scripts/dist", folder / "dist"], check=True, capture_output=True)  # noqa: ASYNC221, S603 - ours
    places = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    code, said = await run("sh", "-c", WITH_UV.text, cwd=folder, env={**os.environ, **places, "PATH": path})
    if code and "sms_bridge-" not in said:
        pytest.skip(f"no packages can be installed here: {said.splitlines()[-1:]}")
    assert code == 0, said


async def test_the_wheel_leads_to_the_first_event(fleet: Fleet, client: httpx.AsyncClient, tmp_path: Path) -> None:
    """With nothing but the README's lines: installed, checked, run, and a message goes through."""
    async with fleet.topics() as topics:
        public, admin = map(str, find_free_ports(2))
        at = await shell(tmp_path, topics, topics.settings | {"HTTP__PORT": public, "ADMIN__PORT": admin})
        await install(tmp_path)
        where = await at.type("command -v sms-bridge && sms-bridge --version")
        assert where.out.split() == [str(tmp_path / "bin" / "sms-bridge"), bridge.__version__]
        for command in commands(block("README.md", "Run it")):
            if command.words[:2] == ["sms-bridge", "run"]:
                said = await at.interrupted(command.text, lambda _: story(at, topics, client))
            else:
                said = await at.type(command.text)
            assert said.code == 0, (command, said)


def test_the_image_is_run_as_it_is_made() -> None:
    """The published ports and the volume are the Dockerfile's, and the version is the project's."""
    [built, started] = [one.words for one in LINES if one.words[0] == "docker"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    ports = [port.rpartition(":")[2] for option, port in itertools.pairwise(started) if option == "--publish"]
    assert ports == re.findall(r"^EXPOSE (.+)$", dockerfile, re.MULTILINE)[0].split()
    volume = started[started.index("--volume") + 1].partition(":")[2]
    assert volume in re.findall(r"^VOLUME (.+)$", dockerfile, re.MULTILINE)
    tag = f"sms-bridge:{bridge.__version__}"
    assert (built[built.index("--tag") + 1], started[-1]) == (tag, tag)


def test_the_readme_names_the_version() -> None:
    """In its first lines, and in the wheel's name."""
    assert f"\nVersion {bridge.__version__} (" in (ROOT / "README.md").read_text()
    assert WITH_UV.words[3] == f"dist/sms_bridge-{bridge.__version__}-py3-none-any.whl"
