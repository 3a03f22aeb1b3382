"""Public data sets from Zenodo: download with resume and checksum, and unpacking.

Imports only `common`. Uses the standard library, which Slicer has as any Python.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "downloading": ["Downloaded", "download"],
        "records": ["RECORDS", "ZENODO", "Record", "record_called"],
    },
)
