"""Monitoring: scrape configurations, recording rules, alerts, dashboards."""
