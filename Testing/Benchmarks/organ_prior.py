"""Check on left-out cases that organs are predicted better with the others than without; `docs/decisions/organs.md`.

`python Testing/Benchmarks/organ_prior.py MODEL`: the codes of a model with organs are split into five parts. Each part
is predicted by a joint prior of the others. The share of the shape's variance that is explained counts motions of the
surface, in mm²; the gain is that of the logarithm of the density of a case, in nats.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from ThyroidSynthLib.model.joint.dependence import Dependence
from ThyroidSynthLib.model.joint.joint_prior import THYROID_CODE, JointPrior
from ThyroidSynthLib.model.trained_model import TrainedModel

_FOLDS = 5


def main() -> None:
    """Print a row for each organ, given the thyroid alone and given all others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    model = TrainedModel.load(parser.parse_args().model)
    print("organ | given | variance explained | gain in nats per case")
    names = (THYROID_CODE, *model.organs)
    for name in names:
        others = tuple(other for other in names if other != name)
        for known in dict.fromkeys([(THYROID_CODE,) if name != THYROID_CODE else ("trachea",), others]):
            explained, gain = _checked(model, name, known)
            print(f"{name} | {', '.join(known)} | {explained:.2f} | {gain:+.2f}", flush=True)


def _checked(model: TrainedModel, name: str, known: tuple[str, ...]) -> tuple[float, float]:
    """Return the share of the variance of an organ that others explain, and the gain of its log density."""
    shared = [case_id for case_id in model.ids if all(case_id in _ids(model, each) for each in (name, *known))]
    left, total, gain = 0.0, 0.0, 0.0
    for fold in range(_FOLDS):
        test = set(shared[fold::_FOLDS])
        prior = JointPrior(_without(model, test))
        given, alone = prior.dependence(name, known), prior.dependence(name, ())
        axes = prior._axes_of(name)
        for case_id in test:
            found = axes @ _code(model, name, case_id)
            values = prior._along_axes({each: _code(model, each, case_id) for each in known})
            error, deviation = found - given.expected(values), found - alone.mean
            left, total = left + error @ error, total + deviation @ deviation
            gain += _log_density(given, error) - _log_density(alone, deviation)
    return 1 - left / total, gain / len(shared)


def _log_density(distribution: Dependence, deviation: np.ndarray) -> float:
    factor = np.linalg.cholesky(distribution.covariance)
    return float(-np.sum(np.linalg.solve(factor, deviation) ** 2) / 2 - np.log(np.diag(factor)).sum())


def _ids(model: TrainedModel, name: str) -> tuple[str, ...]:
    return model.ids if name == THYROID_CODE else model.organs[name].ids


def _code(model: TrainedModel, name: str, case_id: str) -> np.ndarray:
    codes = model.codes if name == THYROID_CODE else model.organs[name].codes
    return codes[_ids(model, name).index(case_id)].astype(np.float64)


def _without(model: TrainedModel, left_out: set[str]) -> TrainedModel:
    def kept(ids: tuple[str, ...]) -> list[int]:
        return [row for row, case_id in enumerate(ids) if case_id not in left_out]

    organs = {}
    for name, organ in model.organs.items():
        rows = kept(organ.ids)
        ids = tuple(organ.ids[row] for row in rows)
        organs[name] = replace(organ, ids=ids, features=organ.features[rows], latent_table=organ.latent_table[rows])
    rows = kept(model.ids)
    ids = tuple(model.ids[row] for row in rows)
    features, table = model.features[rows], model.latent_table[rows]
    return replace(model, ids=ids, features=features, latent_table=table, organs=organs)


if __name__ == "__main__":
    main()
