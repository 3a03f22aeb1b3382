"""The Slicer front end: `scene` knows MRML, `panel` knows Qt. Imports every package but `cli`."""
