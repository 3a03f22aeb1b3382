"""The shape model: network, conditioning, prior, model file and model library. Imports packages up to `dataset`."""
