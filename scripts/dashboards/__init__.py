"""The two Grafana dashboards as code: `python -m scripts.dashboards` writes their JSON (`make dashboards`).

What they show is data: `delivery.py` and `service.py`, in the words of `panels.py`. `board.py` makes Grafana's JSON.
"""
