"""Reading and writing of images, label maps, segmentations and meshes. Imports `common` and `geometry`."""
