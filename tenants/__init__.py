"""Who calls: tenants, their keys and their secrets."""
