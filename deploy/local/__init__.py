"""Everything as child processes on one machine: `make run`."""
