"""Webhooks: allowed URLs, claiming due deliveries, limits, sending, recording, retry schedule."""
