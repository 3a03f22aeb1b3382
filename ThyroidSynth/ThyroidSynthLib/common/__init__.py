"""Errors, files, progress, cancellation and parallel tasks, used by every other package.

Imports no other package of the library.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "errors": [
            "Cancelled",
            "CohortError",
            "InputError",
            "JobError",
            "ModelError",
            "OutputError",
            "SynthesisError",
            "ThyroidSynthError",
        ],
        "files": ["atomic_path", "read_json", "sha256_of", "write_json", "write_text"],
        "progress": ["ProgressCallback", "ShouldStop", "part_of", "stop_on_signals"],
        "workers": ["WorkerFailure", "Workers", "usable_workers"],
    },
)
