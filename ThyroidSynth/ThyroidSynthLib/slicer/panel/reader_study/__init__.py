"""The window of the reader study, in which readers rate thyroids as real or synthetic.

Imports `panel.shared` and `scene`, besides the library.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(__name__, {"window": ["ReaderStudyWindow"]})
