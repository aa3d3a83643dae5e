"""Lists Debian packages that tests need and that are missing.

`python -m scripts.missing_packages` prints one line per package, with the tests that are skipped without it; with
`--names` it prints only the names.
"""

import shutil
import sys
from collections.abc import Sequence
from typing import NamedTuple


class Need(NamedTuple):
    """A package that tests need.

    Attributes:
        package: The Debian package.
        programs: Groups of alternatives; of each group one program must exist.
        tests: The tests that are skipped without it.
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
    Need("maven", [["mvn"]], "the Java example as it is printed"),
    Need("postgresql", [["initdb", "pg_ctlcluster"], ["psql"]], "the example that copies events to PostgreSQL"),
    Need("kafkacat", [["kcat"]], "the recipe with kcat"),
)


def find_missing() -> list[Need]:
    """Return the packages whose programs aren't on the PATH."""
    return [need for need in NEEDS if not all(any(map(shutil.which, names)) for names in need.programs)]


def main(arguments: Sequence[str]) -> None:
    """Print the missing packages."""
    if "--names" in arguments:
        sys.stdout.write("".join(f"{need.package}\n" for need in find_missing()))
        return
    for need in find_missing():
        sys.stdout.write(f"Debian package {need.package} is missing; tests skipped without it: {need.tests}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
