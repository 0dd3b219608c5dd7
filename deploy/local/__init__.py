"""`make run`: the whole product as child processes on one machine."""
