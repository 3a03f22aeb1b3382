"""The joint prior: how the codes of thyroid and organs belong together, so that any can be drawn given any others.

The conditional distributions are fitted one by one, each to those training cases that have the organs in question.
The last dimensions of the thyroid's code, which change sign when the gland is mirrored, count as well: the organs of
one side give way to a larger lobe there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ThyroidSynthLib.common.errors import InputError, ModelError
from ThyroidSynthLib.model.prior import CodePrior, prior_of
from ThyroidSynthLib.model.trained_model import OrganModel, TrainedModel

from .dependence import Dependence
from .shape_axes import shape_axes

THYROID_CODE = "thyroid"
"""Name of the thyroid's whole code, fixed and trainable, among those of the organs."""


class JointPrior:
    """The distribution of the whole codes of thyroid and organs of a model; `ModelError` if it has the thyroid only.

    What has been fitted once is kept.
    """

    def __init__(self, model: TrainedModel) -> None:
        if not model.organs:
            raise ModelError(
                "This model has the thyroid only. Prepare a cohort with other organs (--organs trachea,esophagus), "
                "and train a model on it."
            )
        self.model = model
        self._axes: dict[str, np.ndarray] = {}
        self._fitted: dict[tuple[str, ...], Dependence] = {}

    def draw(self, organ: str, known: Mapping[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw the whole code of an organ given the whole codes of others, such as that of the thyroid.

        `InputError` if the model has no such organ, or a code has another size.
        """
        drawn = self.dependence(organ, tuple(known)).draw(self._along_axes(known), rng)
        return np.linalg.solve(self._axes_of(organ), drawn)

    def expected(self, organ: str, known: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the most likely whole code of an organ given the whole codes of others; errors as of `draw`."""
        found = self.dependence(organ, tuple(known)).expected(self._along_axes(known))
        return np.linalg.solve(self._axes_of(organ), found)

    def moved(self, codes: Mapping[str, np.ndarray], changed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return a set of codes after some of them have changed: the others follow as much as is to be expected.

        Parameters
        ----------
        codes : mapping of str to ndarray
            The codes of a set that belongs together.
        changed : mapping of str to ndarray
            New codes of some organs in it.
        """
        known = tuple(changed)
        step = self._along_axes(changed) - self._along_axes({name: codes[name] for name in known})
        found = {}
        for name, code in codes.items():
            if name in changed:
                found[name] = np.asarray(changed[name], dtype=np.float64)
            else:
                follows = np.linalg.solve(self._axes_of(name), self.dependence(name, known).gain @ step)
                found[name] = np.asarray(code, dtype=np.float64) + follows
        return found

    def of_thyroid(self, known: Mapping[str, np.ndarray]) -> CodePrior:
        """Return the distribution of the trainable code given codes of organs; see `conditioned_prior`."""
        prior, values = prior_of(self.model), self._along_axes(known)
        cases = self._cases_with((THYROID_CODE, *known))
        codes, organs = self._codes(THYROID_CODE, cases), np.hstack([self._tables(name, cases) for name in known])
        size = self.model.conditioning.size
        fixed, trainable = codes[:, :size], codes[:, size:]
        axes = self._axes_of(THYROID_CODE)[size:, size:]
        # The features explain part of both; what they leave of the organs explains part of what they leave of the code.
        of_organs = Dependence.fit(fixed, organs)
        rest_of_organs = organs - of_organs.mean - (fixed - of_organs.known_mean) @ of_organs.gain.T
        rest_of_code = (trainable - fixed @ prior.slope - prior.intercept) @ axes.T
        rest = Dependence.fit(rest_of_organs, rest_of_code, self.model.settings.mirrored_size)
        gain = np.linalg.solve(axes, rest.gain)
        organs_at_zero = of_organs.mean - of_organs.gain @ of_organs.known_mean
        return CodePrior(
            slope=prior.slope - (gain @ of_organs.gain).T,
            intercept=prior.intercept + gain @ (values - organs_at_zero),
            factor=np.linalg.solve(axes, np.linalg.cholesky(rest.covariance)),
            asymmetry=prior.asymmetry,
        )

    def dependence(self, organ: str, known: tuple[str, ...]) -> Dependence:
        """Return how the code of one organ depends on those of others, all along their axes of shape change."""
        key = (organ, *known)
        if key not in self._fitted:
            cases = self._cases_with(key)
            given = np.hstack([np.empty((len(cases), 0)), *(self._tables(name, cases) for name in known)])
            mirrored = self.model.settings.mirrored_size if organ == THYROID_CODE else 0
            self._fitted[key] = Dependence.fit(given, self._tables(organ, cases), mirrored)
        return self._fitted[key]

    def _along_axes(self, codes: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return codes one after the other, along their axes; `InputError` if one has another size."""
        found = [np.empty(0)]
        for name, code in codes.items():
            size = self.model.code_size if name == THYROID_CODE else self._organ(name).code_size
            if np.shape(code) != (size,):
                raise InputError(f"The code of '{name}' has {np.size(code)} numbers, not {size}. Fit or draw it again.")
            found.append(self._axes_of(name) @ np.asarray(code, dtype=np.float64))
        return np.concatenate(found)

    def _axes_of(self, name: str) -> np.ndarray:
        if name not in self._axes:
            of = self.model if name == THYROID_CODE else self._organ(name)
            odd = self.model.settings.mirrored_size if name == THYROID_CODE else 0
            # The organs' features may depend on each other, while the thyroid's are given by themselves.
            ends = np.array([self.model.conditioning.size, of.code_size - odd] if name == THYROID_CODE else [])
            blocks = np.split(np.arange(of.code_size), ends.astype(int))
            self._axes[name] = shape_axes(of.network, of.frame, of.codes.astype(np.float64), blocks)
        return self._axes[name]

    def _tables(self, name: str, cases: list[str]) -> np.ndarray:
        return self._codes(name, cases) @ self._axes_of(name).T

    def _organ(self, name: str) -> OrganModel:
        if name not in self.model.organs:
            has = ", ".join(self.model.organs)
            raise InputError(f"This model has no organ '{name}'. Choose among those that it has: {has}.")
        return self.model.organs[name]

    def _cases_with(self, names: tuple[str, ...]) -> list[str]:
        """Return the training cases that have all of some organs, in the order of the model."""
        sets = [set(self._ids(name)) for name in names]
        cases = [case_id for case_id in self.model.ids if all(case_id in ids for ids in sets)]
        if not cases:
            raise ModelError(f"No training case of this model has all of {', '.join(names)}. Leave one of them out.")
        return cases

    def _ids(self, name: str) -> tuple[str, ...]:
        return self.model.ids if name == THYROID_CODE else self._organ(name).ids

    def _codes(self, name: str, cases: list[str]) -> np.ndarray:
        codes = self.model.codes if name == THYROID_CODE else self._organ(name).codes
        row_of = {case_id: row for row, case_id in enumerate(self._ids(name))}
        return codes[[row_of[case_id] for case_id in cases]].astype(np.float64)


def conditioned_prior(model: TrainedModel, known: Mapping[str, np.ndarray]) -> CodePrior:
    """Return the distribution of the thyroid's trainable code given the whole codes of organs, for random draws.

    Parameters
    ----------
    known : mapping of str to ndarray
        Codes of organs of the model, such as ``{"trachea": fit_organ(…).code}``. Without any, this is `prior_of`.

    Raises
    ------
    ModelError
        The model has no organs.
    InputError
        A name is not that of an organ of the model, or a code has another size.
    """
    return JointPrior(model).of_thyroid(known) if known else prior_of(model)
