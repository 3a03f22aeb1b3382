"""Section "Inspect"."""
