"""What the sections of the panel share."""
