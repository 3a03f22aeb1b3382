"""The thyroids of a cohort, made and written by any number of processes, with the same result.

A process makes a thyroid, writes its files and hands back what the manifest says of it, a few thousand
characters: surfaces never leave the process, so memory does not grow with the cohort.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.parallel import workers_for
from ThyroidSynthLib.common.progress import ShouldStop, check, never
from ThyroidSynthLib.common.workers import WorkerFailure
from ThyroidSynthLib.generation.cohort.thyroid_maker import ThyroidMaker
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.prior import CodePrior, prior_of
from ThyroidSynthLib.model.shape_model import ShapeModel
from ThyroidSynthLib.model.threads import computing_on

from .written_thyroid import ThyroidWriter, WrittenThyroid


@dataclass(frozen=True)
class CohortPlan:
    """What is to be made, in a form that can be handed to a process.

    Attributes
    ----------
    model_file : Path
    prior : CodePrior
    space : CodeSpace
        Both of the model; computed once, so that no two processes differ in their last digits.
    seed : int
    to_target : bool
        See `ThyroidMaker`.
    writer : ThyroidWriter
        How each is placed and written.
    """

    model_file: Path
    prior: CodePrior
    space: CodeSpace
    seed: int
    to_target: bool
    writer: ThyroidWriter

    @classmethod
    def of(cls, model: ShapeModel, model_file: Path, **more: object) -> CohortPlan:
        """Fit what is needed to the model of a file; `more` are the other attributes."""
        return cls(model_file, prior_of(model), CodeSpace.of(model), **more)

    def maker(self) -> ThyroidMaker:
        """Open the model for making thyroids."""
        model = ShapeModel.load(self.model_file)
        return ThyroidMaker(model, self.prior, self.space, self.seed, self.to_target)


def make_thyroids(
    plan: CohortPlan,
    targets: Sequence[Targets],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    should_stop: ShouldStop = never,
) -> Iterator[WrittenThyroid]:
    """Make and write a thyroid for each wish; give them in the order of the wishes.

    Parameters
    ----------
    plan : CohortPlan
    wishes : sequence of mapping
        Thyroid number i of the seed gets wish number i.
    workers : int
        Processes; 1 for none but this one. Each uses one thread.
    scheduler : str, optional
        Address of a Dask scheduler whose workers do it instead, with the same result.

    Raises
    ------
    SynthesisError
        No valid surface came out for a thyroid, or a process died over one.
    JobError
        The scheduler is not there, or was lost.
    Cancelled
        `should_stop` returned true; no process is left.
    """
    if workers == 1 and scheduler is None:
        maker = plan.maker()
        for index, target in enumerate(targets):
            check(should_stop)
            # Sums are rounded differently on several threads, so one process uses one as each of several does.
            # Not around the yield: what happens between two thyroids has its threads back.
            with computing_on(1):
                written = _make(maker, plan.writer, index, target, should_stop)
            yield written
        return
    if scheduler is not None:
        # Its workers have another working directory.
        writer = replace(plan.writer, folder=plan.writer.folder.absolute())
        plan = replace(plan, model_file=Path(plan.model_file).absolute(), writer=writer)
    with workers_for(workers, initializer=partial(_begin, plan), scheduler=scheduler) as pool:
        early: dict[int, WrittenThyroid] = {}
        coming = 0
        for (index, _), found in pool.run(_make_here, enumerate(targets), should_stop=should_stop):
            if isinstance(found, WorkerFailure):
                raise SynthesisError(
                    f"A process ended over thyroid {index + 1} (out of memory?). Try again with fewer workers."
                )
            early[index] = found
            while coming in early:
                yield early.pop(coming)
                coming += 1


def _make(
    maker: ThyroidMaker, writer: ThyroidWriter, index: int, target: Targets, should_stop: ShouldStop = never
) -> WrittenThyroid:
    return writer.write(maker.make(index, target, should_stop=should_stop), index + 1)


# What this worker process makes thyroids with.
_here: list[tuple[ThyroidMaker, ThyroidWriter]] = []


def _begin(plan: CohortPlan) -> None:
    import torch

    torch.set_num_threads(1)
    _here[:] = [(plan.maker(), plan.writer)]


def _make_here(task: tuple[int, Targets]) -> WrittenThyroid:
    return _make(*_here[0], *task)
