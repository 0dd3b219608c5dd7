"""All use of Redis: doorbells, pub/sub, streams. Losing any of it loses no job."""
