"""A process of the service: `builder.py` and `listeners.py` build its parts, `app.py` starts and stops them."""
