"""`make compose-check`: builds the images, runs the compose file on a real Docker. Standard library only."""
