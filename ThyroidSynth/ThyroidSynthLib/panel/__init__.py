"""The module's panel: one file for each section, and what the sections share. The only part that knows Qt."""
