"""Profiles: vLLM's engine arguments for one model on one kind of GPU, a TOML file each."""
