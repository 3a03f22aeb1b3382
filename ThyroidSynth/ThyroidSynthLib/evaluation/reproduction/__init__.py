"""The paper's experiments on the authors' published set: from the download to its figures and numbers.

Imports `common` to `export` and the rest of `evaluation`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "experiments": ["ReproductionOptions", "reproduce"],
        "numbers": ["PAPER", "comparison_rows"],
    },
)
