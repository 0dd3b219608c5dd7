"""Engine arguments that were thought through for one model on one kind of GPU; one TOML file each."""
