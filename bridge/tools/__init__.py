"""What people and scripts run beside the service: look, look up, replay. A file a command; `commands.py` lists them.

They read Kafka as anybody with rights may and never touch a running service. What is decided is pure (`story.py`,
`letters.py`), what is shown is apart from how it was found, and nothing here is imported by what serves.
"""
