"""Which versions of requests real brokers offer: `real_api_versions.json` has the answer of one of each release."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ApiVersions = Mapping[int, tuple[int, int]]


@cache
def load_api_versions() -> Mapping[str, ApiVersions]:
    """Load them, by release. All brokers were in KRaft mode."""
    document = json.loads(Path(__file__).with_name("real_api_versions.json").read_text())
    return {
        release: {int(api_key): (lowest, highest) for api_key, (lowest, highest) in versions.items()}
        for release, versions in document.items()
    }


def make_versions_of_2_4() -> ApiVersions:
    """Return what a broker of 2.4 offers: a real one's versions, lowered to those of Kafka's definitions then."""
    older = {0: 8, 1: 11, 2: 5, 3: 9, 8: 8, 9: 6, 10: 3, 11: 6, 19: 5, 22: 2, 24: 1, 25: 1, 26: 1, 28: 2}
    return {**load_api_versions()["3.0.2"], **{api_key: (0, highest) for api_key, highest in older.items()}}
