"""A worker's slots: consume doorbells, claim jobs, run them, write their outcomes, renew the lease."""
