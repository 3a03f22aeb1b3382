"""Training of a shape model: loop, losses, gradients and optimiser. Imports packages up to `model`."""
