"""The patient in the scene: CT, segmentation, trachea."""
