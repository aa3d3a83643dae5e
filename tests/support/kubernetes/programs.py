"""Builds kube-apiserver and kube-controller-manager with Go, and finds them and etcd. Also a program: it builds them.

`control_plane/go.mod` pins them. They are built once, which takes minutes, and kept in the user's cache.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "1.36.3"
NAMES = ("kube-apiserver", "kube-controller-manager")
FOLDER = Path.home() / ".cache" / "sms-bridge" / f"kubernetes-{VERSION}"
MODULE = Path(__file__).parent / "control_plane"
ETCD = ("etcd", "Debian: apt-get install etcd-server")
_VARIABLES = "k8s.io/component-base/version"


class Unavailable(Exception):  # noqa: N818 - it is a fact about the machine
    """A program can't be had here; the text says which."""


def find(name: str) -> Path:
    """Return a program of Kubernetes.

    Raises:
        Unavailable: It isn't built.
    """
    if not (FOLDER / name).exists():
        raise Unavailable(f"{name} {VERSION} isn't built (make k8s-test)")
    return FOLDER / name


def find_etcd() -> Path:
    """Return etcd.

    Raises:
        Unavailable: It isn't installed.
    """
    found = shutil.which(ETCD[0])
    if not found:
        raise Unavailable(f"no {ETCD[0]} on the PATH ({ETCD[1]})")
    return Path(found)


def build() -> None:
    """Build what isn't built yet.

    Raises:
        Unavailable: There is no Go, or it can't build them.
    """
    missing = [name for name in NAMES if not (FOLDER / name).exists()]
    go = shutil.which("go")
    if missing and not go:
        raise Unavailable("no go on the PATH, which builds kube-apiserver")
    for name in missing:
        sys.stderr.write(f"Building {name} {VERSION}; this takes some minutes\n")
        _build(str(go), name)


def _build(go: str, name: str) -> None:
    major, minor, _ = VERSION.split(".")
    values = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor}
    flags = " ".join(("-s -w", *(f"-X {_VARIABLES}.{variable}={value}" for variable, value in values.items())))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        made = Path(folder) / name
        command = [
            go,
            "build",
            "-trimpath",
            "-buildvcs=false",
            "-ldflags",
            flags,
            "-o",
            str(made),
            f"k8s.io/kubernetes/cmd/{name}",
        ]
        done = subprocess.run(command, cwd=MODULE, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed program
        if done.returncode:
            raise Unavailable(f"go can't build {name}: {done.stderr.strip().splitlines()[-1]}")
        made.rename(FOLDER / name)


def main() -> None:
    """Build the programs; where that is impossible, say so in one line."""
    try:
        build()
        find_etcd()
    except Unavailable as error:
        sys.stderr.write(f"The chart isn't tested on a real API server: {error}\n")


if __name__ == "__main__":
    main()
