"""The process that delivers webhooks, measures the queue, and rescues or expires jobs."""
