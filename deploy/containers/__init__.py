"""`make compose-check`: builds the images and runs the compose file on Docker. Standard library only."""
