"""The process that delivers webhooks and sweeps up what nobody else is alive to do."""
