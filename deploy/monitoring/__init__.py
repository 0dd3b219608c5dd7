"""What watches the product: scrape configurations, rules, alerts, dashboards."""
