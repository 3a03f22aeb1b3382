"""Section "Patient"."""
