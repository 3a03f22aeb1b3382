"""The options of a cross-validation, and the runs that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.splits import HeldOut, folds_of, hold_out
from ThyroidSynthLib.model.presets import DEFAULT_PRESET
from ThyroidSynthLib.model.settings import OMEGA

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort


@dataclass(frozen=True)
class CrossValidationOptions:
    """Options of a cross-validation.

    Attributes
    ----------
    folds : int
        Number of parts of the cohort, each of which is held out once; 1 for seeds only.
    seeds : tuple of int
        Random seeds of the trainings; every fold is trained with each.
    held_out : HeldOut
        Cases that are held out of every training if there is only one fold.
    split_seed : int
        Random seed of the division into folds, or of the choice of the held-out cases.
    variant, preset, epochs, activation, omega, device
        As in `JobOptions`.
    """

    folds: int = 5
    seeds: tuple[int, ...] = (0,)
    held_out: HeldOut = 0.0
    split_seed: int = 0
    variant: str = "fixed"
    preset: str = DEFAULT_PRESET
    epochs: int = 0
    activation: str = "relu"
    omega: float = OMEGA
    device: str = "auto"


@dataclass(frozen=True)
class Run:
    """One training of a cross-validation."""

    name: str  # name of its folder
    fold: int  # from 1
    seed: int
    held_out: tuple[str, ...]  # ids of the cases held out of the training


def runs_of(cohort: Cohort, options: CrossValidationOptions) -> tuple[Run, ...]:
    """Return the runs: all folds with the first seed, then all with the next.

    Raises
    ------
    InputError
        The cohort cannot be divided in this way, or the options contradict each other.
    """
    seeds = tuple(dict.fromkeys(options.seeds))
    if not seeds:
        raise InputError("No random seed is given. Give at least one.")
    if options.folds == 1:
        held_out = hold_out(cohort, options.held_out, seed=options.split_seed)
        return tuple(Run(f"seed{seed}", 1, seed, held_out) for seed in seeds)
    if options.held_out:
        raise InputError("Held-out cases cannot be combined with several folds. Leave them out, or use one fold.")
    folds = folds_of(cohort, options.folds, seed=options.split_seed)
    return tuple(
        Run(f"fold{number}_seed{seed}", number, seed, held_out)
        for seed in seeds
        for number, held_out in enumerate(folds, 1)
    )
