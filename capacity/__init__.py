"""Queue depth, the desired number of workers, the KV-cache budget, the expected wait of a job."""
