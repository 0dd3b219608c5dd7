"""What every other package rests on: the database and its tables, errors, clock, logs, metrics, settings."""
