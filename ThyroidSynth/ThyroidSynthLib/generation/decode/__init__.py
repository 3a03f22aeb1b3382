"""From a latent code to a surface."""
