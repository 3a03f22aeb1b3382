"""Choice between worker processes of this machine and a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable

from .errors import InputError
from .workers import Workers


def workers_for(count: int, *, initializer: Callable[[], None] | None = None, scheduler: str | None = None) -> Workers:
    """Return `count` worker processes of this machine, or all workers of the Dask scheduler at an address.

    `InputError` if `scheduler` is set, but the package `distributed` is not installed.
    """
    if scheduler is None:
        return Workers(count, initializer=initializer)
    try:
        from .dask_workers import DaskWorkers
    except ModuleNotFoundError as error:
        raise InputError(
            f"A Dask scheduler needs the package {error.name}. Install it: pip install 'thyroidsynth[cluster]'"
        ) from error
    return DaskWorkers(scheduler, initializer=initializer)
