"""Grafana's dashboards as code: `python -m deploy.monitoring.dashboards` generates their JSON.

Needs grafana_foundation_sdk (`.venv-deploy`). The JSON is checked in; a test checks that it is up to date.
"""
