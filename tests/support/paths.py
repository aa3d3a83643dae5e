"""The project's folders."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
BRIDGE, DOCS, SCHEMAS, TESTS = (ROOT / name for name in ("bridge", "docs", "schemas", "tests"))
CHART_FOLDER = ROOT / "helm" / "sms-bridge"
