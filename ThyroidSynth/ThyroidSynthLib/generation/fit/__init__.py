"""The latent code of a given thyroid."""
