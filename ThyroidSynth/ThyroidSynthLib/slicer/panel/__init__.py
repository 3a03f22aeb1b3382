"""The module's panel: one package per section, and `shared`. The only part of the library that uses Qt.

Imports `slicer.scene` and every package of the library except `cli`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__, {"panel": ["Panel"], "sample_data": ["registerSampleCase"], "self_test": ["runMainFlow"]}
)
