"""`make help` lists the targets."""

import re

from tests.support.paths import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def test_help_lists_every_described_target() -> None:
    """Whatever characters its name has; the longest fits into the column."""
    described = set(re.findall(r"^([\w-]+):.*## ", MAKEFILE, re.MULTILINE))
    [pattern] = re.findall(r"grep -hE '(.+?)'", MAKEFILE)
    listed = {line.partition(":")[0] for line in MAKEFILE.splitlines() if re.match(pattern, line)}
    assert "k8s-test" in listed == described
    [width] = re.findall(r"make %-(\d+)s", MAKEFILE)
    assert max(map(len, described)) <= int(width)
