"""From a doorbell to a finished job: consumer, claimer, run, heartbeat."""
