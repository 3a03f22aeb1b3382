"""Section Export: write thyroids of the scene to files, and generate cohorts in the background."""
