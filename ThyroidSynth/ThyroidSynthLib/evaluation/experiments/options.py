"""How much of a model is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ThyroidSynthLib.generation.decode.decoding import DEFAULT_RESOLUTION


@dataclass(frozen=True)
class EvaluationOptions:
    """How much is evaluated.

    Attributes
    ----------
    cases : int or None
        Training cases to reconstruct, and held-out cases to fit, of each this many, drawn by the seed;
        None for all.
    count : int
        Random thyroids, one-shot.
    to_target : int
        How many of them are also steered to target, and how many thyroids are steered to targets that
        are drawn independently.
    moves : int
        Thyroids from which one feature at a time is moved while the others are held; with 0 no
        training thyroid is shown so either.
    gallery : int
        Random thyroids that are shown.
    permutations : int
        Permutations of the features behind the null distribution of what the codes give away, at least 1.
    seed : int
        Seed of all draws and samples.
    resolution : int
        Grid points per axis of every decoded surface.
    """

    cases: int | None = None
    count: int = 200
    to_target: int = 100
    moves: int = 20
    gallery: int = 12
    permutations: int = 200
    seed: int = 0
    resolution: int = DEFAULT_RESOLUTION

    def quick(self) -> EvaluationOptions:
        """Give a smaller evaluation that takes a minute: for looking, not for publishing."""
        return replace(
            self,
            cases=min(self.cases or 6, 6),
            count=min(self.count, 50),
            to_target=min(self.to_target, 10),
            moves=min(self.moves, 2),
        )
