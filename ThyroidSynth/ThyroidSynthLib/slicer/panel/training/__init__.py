"""Section Training: train a shape model in a background process."""
