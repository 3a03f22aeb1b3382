"""From segmentations to measured, centred, sampled shapes: the first third of the way the data goes."""
