"""From an event to a consumer: urls, claim, deliverer, sender, record."""
