"""Import of models that other programs trained: checkpoints of PyTorch and Lightning, without executing their code.

Imports `common`, `geometry`, `dataset` and the rest of `model`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "authors_checkpoint": ["ImportOptions", "ImportedModel", "import_checkpoint"],
        "checkpoint_file": ["CheckpointFile", "Tensor", "open_checkpoint"],
    },
)
