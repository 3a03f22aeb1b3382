"""Files for other software: label maps, merged label maps, meshes, edited cases. Imports up to `generation`."""
