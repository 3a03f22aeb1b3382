"""Thyroids in Slicer's scene: segmentation nodes, the CT they lie over, and the way to the library's types.

The only part of the library that knows MRML. Names of nodes follow Slicer; everything else is as in the
rest of the library: `ras_mm` in, `ras_mm` out, parent transforms applied.
"""
