"""The depth of the queue, the KV-cache budget of an engine, and the expected wait of a job."""
