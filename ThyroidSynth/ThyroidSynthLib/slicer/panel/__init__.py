"""The module's panel, one package for each section. The only part that knows Qt."""
