"""The depth of the queue, the workers that it needs, the KV-cache budget, the expected wait of a job."""
