"""Section "Shape model"."""
