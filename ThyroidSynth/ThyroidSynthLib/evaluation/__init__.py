"""Evaluation of a model: measures, experiments, comparison with other models, and reports.

`metrics` computes measures, `experiments` applies them to a model, `report` writes files, `comparison` deals with
several evaluations, and `reader_study` with the ratings of readers. Imports `common` to `export`.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

CROSS_VALIDATION_FILE = "cross_validation.json"
EVALUATION_FILE = "evaluation.json"
REPORT_FILE = "report.html"

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "comparison.compare": ["compare", "read_evaluations", "write_comparison"],
        "comparison.cross_validation": ["cross_validate"],
        "comparison.runs": ["CrossValidationOptions"],
        "experiments.evaluate": ["evaluate"],
        "experiments.evaluation": ["Evaluation", "EvaluationOptions"],
        "experiments.fits": ["fit_cases"],
        "experiments.fitted": ["FittedCase", "fit_case", "write_fit"],
        "metrics.nearest": ["Nearest", "TrainingShapes", "decode_training_shapes", "find_nearest"],
        "metrics.statistics": ["Agreement", "agreement", "compare_distributions"],
        "metrics.surface_distances": ["SurfaceComparison", "chamfer", "compare_surfaces", "dice"],
        "reader_study.plan": ["StudyPlan"],
        "reader_study.summary": ["StudySummary", "summarise"],
        "report.inspection": ["describe"],
        "report.model_card": ["model_card"],
        "report.report": ["write_evaluation"],
    },
)
__all__ += ["CROSS_VALIDATION_FILE", "EVALUATION_FILE", "REPORT_FILE"]
