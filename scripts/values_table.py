"""Writes the table of values in the chart's README; each comment in values.yaml that starts with `# -- ` is a row.

`python -m scripts.values_table` writes it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CHART = Path(__file__).parents[1] / "helm" / "sms-bridge"
_BEGIN, _END = "<!-- values: written by `python -m scripts.values_table` from values.yaml -->\n", "<!-- /values -->"
_KEY = re.compile(r"( *)([A-Za-z]+):")


class Row(NamedTuple):
    """One documented value."""

    path: str
    default: Any
    meaning: str


def parse_rows(text: str) -> Iterator[Row]:
    """Yield the documented values of a values.yaml, in order."""
    values, parents, words = yaml.safe_load(text), list[str](), list[str]()
    for line in text.splitlines():
        comment = line.strip()
        if comment.startswith("# -- "):
            words = [comment.removeprefix("# -- ")]
        elif comment.startswith("# ") and words:
            words.append(comment.removeprefix("# "))
        elif key := _KEY.match(line):
            parents = [*parents[: len(key[1]) // 2], key[2]]
            if words:
                yield Row(".".join(parents), _get_value(values, parents), " ".join(words))
            words = []


def find_undocumented(text: str) -> set[str]:
    """Return the values that have no row and are not part of a value with a row."""
    documented = {row.path for row in parse_rows(text)}
    return {path for path in _leaves(yaml.safe_load(text)) if not _prefixes(path) & documented}


def make_table(text: str) -> str:
    """Return the table in Markdown."""
    lines = [f"| `{row.path}` | `{_short(row.default)}` | {row.meaning} |" for row in parse_rows(text)]
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *lines, ""])


def replace_table(readme: str, text: str) -> str:
    """Return the README with the current table."""
    head, _, rest = readme.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    return f"{head}{_BEGIN}\n{make_table(text)}\n{_END}{tail}"


def _short(default: Any) -> str:
    return json.dumps(default, ensure_ascii=False).replace("|", "\\|")


def _get_value(values: Any, path: list[str]) -> Any:
    for part in path:
        values = values[part]
    return values


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _prefixes(path: str) -> set[str]:
    parts = path.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)}


if __name__ == "__main__":
    file = CHART / "README.md"
    file.write_text(replace_table(file.read_text(), (CHART / "values.yaml").read_text()))
