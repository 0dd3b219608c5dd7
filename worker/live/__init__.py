"""What readers see of a running job: progress and the text so far."""
