"""The chaos suite: injects faults into bridges, brokers, network and providers while messages flow, then verifies.

- the run: `__main__.py` (the command), `run.py` (the order of the steps), `plan.py` (which fault when), `injector.py`;
- the faults: `bridges.py` and `operations.py` (of the bridges) and `surroundings.py` (of everything else);
- their targets: `cluster.py`, `access.py` and `wires.py` (Kafka, rights and tokens, the network), `replicas.py`,
  `versions.py`, `clocks.py`, `disks.py` and `damage.py` (the bridges, their clocks and disks), `providers.py` (the
  providers' answers);
- the load: `sender.py`, `bursts.py`;
- the verification: `ledger.py` and `letters.py` (what is expected and what was read), `reader.py`, `summary.py`.
"""
