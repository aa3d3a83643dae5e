"""How fast the bridge is, side by side with what a user would pick instead. `make bench` runs it.

From the outside in: `__main__.py` (what is run, and what is shown), `subjects/` (one file for each thing measured),
`contest.py` (contestants alternate, medians count), `peers/` (the contestants that are not the bridge). Below:
`process.py` and `meters.py` (processes and what they use), `kafka.py` (topics filled and counted), `traffic.py` (what
they are filled with), `bridge.py` (the bridge as a process), `toolchain.py` (what the peers are built with),
`report.py` and `charts.py` (docs/performance.md).
"""
