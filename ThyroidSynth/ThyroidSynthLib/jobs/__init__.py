"""Trainings that run as background processes, each with a folder by which it is watched, stopped and resumed.

Imports the packages up to `training`, and PyTorch only where it trains.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "background": ["StopSequence", "start_detached", "stop", "train_script"],
        "diagnostics": ["diagnostics_text"],
        "estimate": ["BackgroundEstimate", "Estimate", "EstimateRequest", "EstimateResult", "estimate_training"],
        "job": ["JobFolder", "JobState"],
        "job_options": ["JobOptions", "job_for", "resumed_job"],
        "job_run": ["run_job"],
        "loss_history": ["LossHistory"],
        "machine": ["Gpu", "Machine", "describe_machine"],
        "preview": ["Preview", "read_preview", "write_preview"],
    },
)
