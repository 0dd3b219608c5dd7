"""Writes the post of a request: plan the calls, pack the prompts, make the schemas, call the engine."""
