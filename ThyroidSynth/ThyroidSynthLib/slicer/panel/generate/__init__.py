"""Section "Generate"."""
