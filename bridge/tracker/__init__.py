"""The way out: the tracker folds the journal into attempts' states and publishes what changed, a transaction a batch.

From the outside in: `tracker.py` (the consumer group: which partitions are ours), `worker.py` (owns one partition),
`batch.py` (what a transaction will hold), `transaction.py` (how it is committed). Beside them: `timers.py` (what runs
out), `delivery_records.py` and `dead_letter_records.py` (what is written), `batch_metrics.py` (what is counted).
"""
