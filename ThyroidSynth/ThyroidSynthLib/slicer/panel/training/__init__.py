"""Section "Training"."""
