"""The trainings of a cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.splits import HeldOut, folds_of, hold_out
from ThyroidSynthLib.model.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort


@dataclass(frozen=True)
class CrossValidationOptions:
    """What is trained how often.

    Attributes
    ----------
    folds : int
        In how many parts the cohort is divided, each of which is held out once; 1 for seeds only.
    seeds : tuple of int
        Of the trainings; every fold is trained with each.
    held_out : HeldOut
        Cases that are held out from every training where there is one fold only.
    split_seed : int
        Of the division into folds, or of the choice of the held-out cases.
    variant, preset, epochs, device
        As in `JobOptions`.
    """

    folds: int = 5
    seeds: tuple[int, ...] = (0,)
    held_out: HeldOut = 0.0
    split_seed: int = 0
    variant: str = "fixed"
    preset: str = DEFAULT_PRESET
    epochs: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class Run:
    """One training of a cross-validation.

    Attributes
    ----------
    name : str
        Of its folder.
    fold : int
        From 1 on.
    seed : int
        Of the training.
    held_out : tuple of str
        The cases it does not see.
    """

    name: str
    fold: int
    seed: int
    held_out: tuple[str, ...]


def runs_of(cohort: Cohort, options: CrossValidationOptions) -> tuple[Run, ...]:
    """Plan the trainings: all folds with the first seed, then all with the next.

    Raises
    ------
    InputError
        The cohort cannot be divided so, or the choices contradict each other.
    """
    seeds = tuple(dict.fromkeys(options.seeds))
    if not seeds:
        raise InputError("No seed is given. Give at least one.")
    if options.folds == 1:
        held_out = hold_out(cohort, options.held_out, seed=options.split_seed)
        return tuple(Run(f"seed{seed}", 1, seed, held_out) for seed in seeds)
    if options.held_out:
        raise InputError("Each fold is held out once. Leave the held-out cases unsaid, or give one fold.")
    folds = folds_of(cohort, options.folds, seed=options.split_seed)
    return tuple(
        Run(f"fold{number}_seed{seed}", number, seed, held_out)
        for seed in seeds
        for number, held_out in enumerate(folds, 1)
    )
