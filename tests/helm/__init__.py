"""The Helm chart and the alerts: what a cluster would be given."""
