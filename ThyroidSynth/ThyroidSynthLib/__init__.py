"""ThyroidSynth's library: learn thyroid shapes, synthesise and edit them.

Importing this package loads nothing heavy, so that the module opens in Slicer
before PyTorch is installed.
"""

__version__ = "0.1.0"
