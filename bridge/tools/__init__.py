"""What people and scripts run beside the service: check, look up, replay. A file per command; `commands.py` lists them.

They read Kafka as any client with rights may, and never touch a running service. Decisions are pure
(`replay_parser.py`), views stand apart from searches, and nothing here is imported by what serves.
"""
