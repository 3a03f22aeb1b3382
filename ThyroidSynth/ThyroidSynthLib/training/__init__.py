"""Training of a shape model: loop, losses, optimiser, CPU engine and distributed training.

Imports `common` to `model`, and PyTorch.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "device": ["choose_device"],
        "distributed": ["ProcessGroup", "process_group_of_environment"],
        "loop": ["EpochReport", "seconds_per_epoch", "train"],
        "losses": ["SDFLoss", "correlation_loss", "latent_loss", "sdf_loss"],
    },
)
