"""Random thyroids, and thyroids steered to targets."""
