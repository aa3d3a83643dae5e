"""The chaos suite: the bridge among real brokers and simulated providers, while everything around it fails on purpose.

From the outside in: `__main__.py` (the command), `run.py` (who is started, in which order), `plan.py` (which fault
when), `injector.py` (how each is done). What they are done to: `cluster.py` and `wires.py` (Kafka and the network),
`replicas.py` and `damage.py` (the bridge's processes, their disks), `providers.py` (the providers' moods). What goes
through: `sender.py`, `bursts.py`. Whether it was right: `ledger.py` (what was promised and read), `reader.py`,
`summary.py`.
"""
