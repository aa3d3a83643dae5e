"""`make dist`: the wheel and the source distribution."""

import hashlib
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import bridge
from tests.support.paths import BRIDGE, CHART_FOLDER, ROOT, SCHEMAS


def build(target: Path, epoch: int) -> dict[str, str]:
    """Run scripts/dist and return the SHA-256 of each file."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    command = [ROOT / "scripts/dist", target]
    subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603 - our own script
    return {path.suffix: hashlib.sha256(path.read_bytes()).hexdigest() for path in target.glob("sms_bridge-*")}


def files(folder: Path) -> list[Path]:
    """Return the files below a folder, without Python's caches."""
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a wheel and a source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    build(folder, 1_700_000_000)
    return folder


def test_a_build_is_reproducible(dist: Path, tmp_path: Path) -> None:
    """The same SOURCE_DATE_EPOCH gives the same bytes, another one gives others; SHA256SUMS lists them."""
    sums = dict(line.split()[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
    first = {Path(name).suffix: digest for name, digest in sums.items()}
    assert set(first) == {".gz", ".whl"}
    assert build(tmp_path, 1_700_000_000) == first
    other = build(tmp_path, 1_700_000_002)
    assert all(other[suffix] != digest for suffix, digest in first.items())


def test_a_wheel_contains_the_package_and_nothing_else(dist: Path) -> None:
    """Every file of `bridge/` and `schemas/` is in it, and no test, script or cache."""
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    expected = {path.relative_to(ROOT).as_posix() for path in files(BRIDGE)}
    expected |= {f"bridge/schema_files/{path.relative_to(SCHEMAS).as_posix()}" for path in files(SCHEMAS)}
    assert names == expected


def test_a_wheel_can_be_built_from_the_source_distribution(dist: Path, tmp_path: Path) -> None:
    """It is the same wheel."""
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    source = next(tmp_path.glob("sms_bridge-*"))
    subprocess.run(  # noqa: S603 - a fixed command
        [Path(sys.executable).with_name("hatchling"), "build", "-t", "wheel", "-d", tmp_path],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        check=True,
        capture_output=True,
    )
    assert next(tmp_path.glob("*.whl")).read_bytes() == next(dist.glob("*.whl")).read_bytes()


def test_every_part_has_the_same_version() -> None:
    """The package, its metadata, the chart and the image."""
    chart = yaml.safe_load((CHART_FOLDER / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == chart["appVersion"] == bridge.__version__
    assert f"ARG VERSION={bridge.__version__}\n" in (ROOT / "Dockerfile").read_text()
