"""A job's way measured beside other ways to do the same: submits, jobs a second, latency, CPU time a job."""
