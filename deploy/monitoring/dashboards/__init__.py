"""Grafana's dashboards as code: `python -m deploy.monitoring.dashboards` writes the JSON that Grafana reads.

It runs where grafana_foundation_sdk is (`.venv-deploy`); the JSON is checked in, and a test compares the two.
"""
