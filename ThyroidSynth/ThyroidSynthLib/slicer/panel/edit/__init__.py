"""Section "Edit"."""
