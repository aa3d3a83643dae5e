"""The admin port: probes, metrics, the status page and its JSON. It only observes; nothing here changes anything."""
