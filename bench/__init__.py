"""Benchmarks of the bridge beside its alternatives. `make bench` runs them.

- the run: `__main__.py`, `run.py`, `subjects/` (one file per subject), `contest.py` (contestants take turns);
- the contestants: `bridge.py`, `peers/` and `toolchain.py` (what the peers are built with);
- measuring: `process.py`, `meters.py`, `progress.py`, `kafka.py` (topics), `traffic.py` (their contents);
- the documents: `report.py`, `bounds.py`, `targets.py`, `charts.py`, `scaling.py`, `simulation.py`.
"""
