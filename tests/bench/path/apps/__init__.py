"""The applications that the bench compares; each is started as a process of its own."""
