"""Prepare a dataset, train a model and evaluate it on held-out cases.

Usage: python train_and_evaluate.py FOLDER [DATASET]

DATASET is a folder of cases, such as the TotalSegmentator dataset. Without it a small synthetic dataset is
made, and the training is short: a test of the path, not a useful model.
"""

import sys
from pathlib import Path

from ThyroidSynthLib import Cohort, ShapeModel, prepare_cohort
from ThyroidSynthLib.dataset import hold_out
from ThyroidSynthLib.dataset.synthetic import write_example_dataset
from ThyroidSynthLib.evaluation import EvaluationOptions, evaluate, write_evaluation


def main(folder: Path, dataset: Path | None) -> None:
    """Write the cohort, the model and the evaluation to a folder."""
    folder.mkdir(parents=True)
    epochs, options = None, EvaluationOptions()
    if dataset is None:
        dataset, epochs, options = folder / "dataset", 200, EvaluationOptions(count=4, to_target=1, moves=1)
        write_example_dataset(dataset, cases=8, seed=1, defective_share=0, with_ct=False)

    summary = prepare_cohort(dataset, folder / "cohort")
    print(f"{summary.accepted} of {summary.cases} cases accepted; reasons in {folder / 'cohort' / 'quality.csv'}")

    cohort = Cohort.open(folder / "cohort")
    held_out = hold_out(cohort, 0.2, seed=0)
    training = cohort.part(case for case in cohort.ids if case not in held_out)
    model = ShapeModel.train(training, preset="fast", epochs=epochs)
    model.save(folder / "model.safetensors")

    report = write_evaluation(evaluate(model.trained, cohort, options), folder / "evaluation")
    print(f"Report: {report}")


# Preparation starts worker processes, which import this file.
if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
