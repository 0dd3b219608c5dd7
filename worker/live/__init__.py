"""What readers see of a job while it is written."""
