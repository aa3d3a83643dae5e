"""Which Debian packages the tests look for and don't find, and what is skipped without them.

`python -m scripts.missing_packages` says it, one line for each; with `--names` it prints only the packages' names.
"""

import shutil
import sys
from collections.abc import Sequence
from typing import NamedTuple


class Need(NamedTuple):
    """Something that tests call.

    Attributes:
        package: The Debian package that has it.
        programs: Any of these will do, for each of these groups.
        tests: What is skipped without it.
    """

    package: str
    programs: Sequence[Sequence[str]]
    tests: str


NEEDS = (
    Need("prometheus", [["prometheus"], ["promtool"]], "the alerts, and the queries of dashboards and runbooks"),
    Need("chromium", [["chromium", "google-chrome"]], "the status page in a browser"),
    Need("chromium-driver", [["chromedriver"]], "the status page in a browser"),
    Need("openssl", [["openssl"]], "a Kafka with users, certificates and ACLs"),
    Need("nodejs", [["node"]], "the JavaScript example, and AsyncAPI's own parser"),
    Need("npm", [["npm"]], "the JavaScript example, and AsyncAPI's own parser"),
)


def missing() -> list[Need]:
    """What isn't on the PATH."""
    return [need for need in NEEDS if not all(any(map(shutil.which, names)) for names in need.programs)]


def main(arguments: Sequence[str]) -> None:
    """Print what is missing."""
    if "--names" in arguments:
        sys.stdout.write("".join(f"{need.package}\n" for need in missing()))
        return
    for need in missing():
        sys.stdout.write(f"Debian package {need.package} is missing; tests skipped without it: {need.tests}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
