"""Image files as they are stored: headers and voxels of NRRD and MetaImage, and voxels of any format in slabs.

Imports only `common` and `geometry`.
"""
