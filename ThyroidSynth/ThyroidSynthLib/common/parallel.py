"""Worker processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable

from .errors import InputError
from .workers import Workers


def workers_for(count: int, *, begin: Callable[[], None] | None = None, scheduler: str | None = None) -> Workers:
    """Give `count` worker processes of this machine, or the workers of a Dask scheduler.

    Parameters
    ----------
    scheduler : str, optional
        Address of the scheduler; its workers are then used, however many.

    Raises
    ------
    InputError
        There is a scheduler, but not the package to speak with it.
    """
    if scheduler is None:
        return Workers(count, begin=begin)
    try:
        from .dask_workers import DaskWorkers
    except ModuleNotFoundError as error:
        raise InputError(
            f"Using a Dask scheduler needs the package {error.name}. Install it: pip install 'thyroidsynth[cluster]'"
        ) from error
    return DaskWorkers(scheduler, begin=begin)
