"""The way out: the journal is folded into what is known, and what changed is published, a transaction a batch.

From the outside in: `assignment.py` (which partitions are ours), `partition.py` (one partition's owner), `batch.py`
(what a transaction will hold), `transaction.py` (how it is committed), `originals.py` (what dead letters hold). Below,
what is known: `store.py`, `attempts.py`, `layout.py`, `disk.py`, `restore.py`; and when what is due: `timers.py`,
`timetable.py`.
"""
