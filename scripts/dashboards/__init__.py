"""The Grafana dashboards as code: `python -m scripts.dashboards` writes their JSON (`make dashboards`).

`delivery.py`, `providers.py` and `service.py` describe them with the types of `panels.py`; `board.py` renders Grafana's
JSON, with the panels of `views.py`.
"""
