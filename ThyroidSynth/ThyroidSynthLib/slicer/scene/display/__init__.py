"""What the views show: overlays, outlines, distance maps, plots."""
