"""End a process at each of its steps in turn."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

_CHANGES = ("replace", "unlink", "rename", "rmdir", "mkdir", "fsync")


def killed_at(number: int, work: Callable[[], Any]) -> bool:
    """Do work in a fork of this process that ends before a certain one of its calls that change the disk.

    Return whether it ended there; if the work has fewer such calls, it is done.
    """
    child = os.fork()
    if not child:
        code = 1
        try:
            _end_at(number)
            work()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9), "the work failed"
    return code == 9


def _end_at(number: int) -> None:
    count = 0

    def counted(original: Callable) -> Callable:
        def call(*given: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count > number:
                os._exit(9)
            return original(*given, **more)

        return call

    for name in _CHANGES:
        setattr(os, name, counted(getattr(os, name)))
