"""A process of the service: `builder.py` builds its parts, `app.py` starts and stops them."""
