"""Tenants (customers), their API keys and their webhook secrets."""
