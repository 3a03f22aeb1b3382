"""Making and writing the thyroids of a cohort in parallel; the output does not depend on the number of workers.

A worker process makes a thyroid, writes its files and returns its entry for the manifest, a few thousand
characters. Surfaces never leave the process, so memory does not grow with the cohort.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol

from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.common.parallel import workers_for
from ThyroidSynthLib.common.progress import ShouldStop, check, never
from ThyroidSynthLib.common.workers import WorkerFailure
from ThyroidSynthLib.generation.cohort.thyroid_maker import ThyroidMaker
from ThyroidSynthLib.generation.steer.contact import Contact
from ThyroidSynthLib.generation.steer.natural_contact import prior_in_contact
from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.model.code_space import CodeSpace
from ThyroidSynthLib.model.threads import compute_on_one_thread
from ThyroidSynthLib.model.trained_model import TrainedModel

from .cohort_kind import MemberWriter, WrittenMember


class Maker(Protocol):
    """Makes the thyroids of a cohort, such as `ThyroidMaker`."""

    def make(self, index: int, targets: Targets, *, should_stop: ShouldStop = never) -> GeneratedThyroid:
        """Return thyroid number `index`, which does not depend on the others."""


@dataclass(frozen=True)
class CohortPlan:
    """What worker processes need to make the thyroids of a cohort; can be pickled.

    `maker_of` holds the model's prior and code space, because processes that fit them may differ in the last digits.
    """

    model_file: Path
    maker_of: Callable[[TrainedModel], Maker]
    writer: MemberWriter

    @classmethod
    def of(
        cls,
        model: TrainedModel,
        model_file: Path,
        *,
        seed: int,
        to_target: bool,
        writer: MemberWriter,
        contact: Contact | None = None,
    ) -> CohortPlan:
        """Fit prior and code space to the model of a file; `contact` is with the patient's rigid structures."""
        prior, space = prior_in_contact(model, contact), CodeSpace.of(model)
        # Directly sampled thyroids have no targets to meet.
        finish = writer.measure if to_target else None
        maker = partial(
            ThyroidMaker, prior=prior, space=space, seed=seed, to_target=to_target, finish=finish, contact=contact
        )
        return cls(model_file, maker, writer)

    def maker(self) -> Maker:
        """Load the model for making thyroids."""
        return self.maker_of(TrainedModel.load(self.model_file))


def make_thyroids(
    plan: CohortPlan,
    targets: Sequence[Targets],
    *,
    start: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    should_stop: ShouldStop = never,
) -> Iterator[WrittenMember]:
    """Make and write one thyroid for each set of targets, and yield them in order.

    Parameters
    ----------
    targets : sequence of Targets
        Of thyroid number i of the seed.
    start : int
        The first of them to make.
    workers : int
        Number of worker processes, each with one thread; 1 for the current process.
    scheduler : str, optional
        Address of a Dask scheduler whose workers are used instead, with the same result.

    Raises
    ------
    SynthesisError
        No draw for a thyroid gave a valid surface, or a worker process ended.
    JobError
        The scheduler cannot be reached.
    Cancelled
        `should_stop` returned true; the worker processes are ended.
    """
    if workers == 1 and scheduler is None:
        maker = plan.maker()
        for index, target in islice(enumerate(targets), start, None):
            check(should_stop)
            yield _make(maker, plan.writer, index, target, should_stop)
        return
    if scheduler is not None:
        # Workers of Dask have another working directory.
        writer = plan.writer.in_folder(plan.writer.folder.absolute())
        plan = replace(plan, model_file=Path(plan.model_file).absolute(), writer=writer)
    with workers_for(workers, initializer=partial(_prepare_worker, plan), scheduler=scheduler) as pool:
        waiting: dict[int, WrittenMember] = {}
        following = start
        for (index, _), found in pool.run(
            _make_in_worker, islice(enumerate(targets), start, None), should_stop=should_stop
        ):
            if isinstance(found, WorkerFailure):
                raise SynthesisError(
                    f"The worker process of thyroid {index + 1} ended (out of memory?). Use fewer workers."
                )
            waiting[index] = found
            while following in waiting:
                yield waiting.pop(following)
                following += 1


def _make(
    maker: Maker, writer: MemberWriter, index: int, target: Targets, should_stop: ShouldStop = never
) -> WrittenMember:
    return writer.write(maker.make(index, target, should_stop=should_stop), index + 1)


# Filled once in each worker process.
_worker_state: list[tuple[Maker, MemberWriter]] = []


def _prepare_worker(plan: CohortPlan) -> None:
    compute_on_one_thread()
    _worker_state[:] = [(plan.maker(), plan.writer)]


def _make_in_worker(task: tuple[int, Targets]) -> WrittenMember:
    return _make(*_worker_state[0], *task)
