"""The workflow that publishes a release."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
JOBS: Any = yaml.safe_load(WORKFLOW.read_text())["jobs"]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `make workflow-lint` in a folder; skipped where there is no Go."""
    if not shutil.which("go") and not (ROOT / ".venv-bench" / "bin" / "go").exists():
        pytest.skip("no go on the PATH, and no environment for the benchmarks (make bench)")
    command = ["make", "--silent", "--old-file", "setup", "workflow-lint"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - it is fixed


def test_the_workflow_has_no_findings() -> None:
    """Neither of actionlint nor of zizmor."""
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("pattern", "replacement", "finding"),
    [
        pytest.param("needs: build\n", "needs: bulid\n", "bulid", id="a job that isn't there"),
        pytest.param(r"actions/checkout@\S+", "actions/checkout@v6", "unpinned-uses", id="an action by its tag"),
        pytest.param(r"permissions:\n +contents: read", "permissions: write-all", "excessive-permissions", id="rights"),
        pytest.param(r'test "\$TAG"', 'test "${{ github.ref_name }}"', "injection", id="a tag's name that is executed"),
    ],
)
def test_the_linters_find_faults(tmp_path: Path, pattern: str, replacement: str, finding: str) -> None:
    """Those that a change might bring in."""
    for name in ("Makefile", "scripts/actionlint", ".venv", ".venv-bench"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / name)
    copy = tmp_path / ".github" / "workflows" / "release.yml"
    copy.parent.mkdir(parents=True)
    text, count = re.subn(pattern, replacement, WORKFLOW.read_text(), count=1)
    assert count
    copy.write_text(text)
    done = lint(tmp_path)
    assert done.returncode
    assert finding in done.stdout + done.stderr


def test_nothing_is_published_without_tests() -> None:
    """The tests come first, and what isn't a tag ends after the build."""
    assert [JOBS[name].get("needs") for name in ("test", "build", "image", "publish")] == [
        None,
        "test",
        "build",
        "image",
    ]
    assert JOBS["image"]["if"] == "github.ref_type == 'tag'"
    assert {"make check", "make audit STRICT=1"} <= {step.get("run") for step in JOBS["test"]["steps"]}


def test_jobs_have_only_the_rights_that_they_need() -> None:
    """What runs the project's code can't write, and only what publishes gets an identity, behind an environment."""
    for name, job in JOBS.items():
        writes = {right for right, level in job["permissions"].items() if level == "write"}
        publishes = name in {"image", "publish"}
        assert bool(writes) == publishes
        assert job.get("environment") == ("release" if publishes else None)
        assert all(
            step["with"]["persist-credentials"] is False for step in job["steps"] if "checkout" in str(step.get("uses"))
        )


def test_its_commands_exist() -> None:
    """Each `make` has its target, and each image its lock file and its SBOM."""
    runs = "\n".join(step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step)
    used = {
        word for words in re.findall(r"^make (.+)$", runs, re.MULTILINE) for word in words.split() if "=" not in word
    }
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"setup", "check", "dist", "sbom"} <= used <= targets
    images = [row["requirements"] for row in JOBS["image"]["strategy"]["matrix"]["include"]]
    assert images == re.findall(r"^IMAGES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
