"""Safe reading of users' files: only regular files are opened, and every fault becomes a message with the file."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError, ThyroidSynthError

# Reasons in the words of Python, which mean nothing to a user.
_OF_PYTHON = re.compile(
    r"could not convert|invalid literal|object has no|NoneType|unpack|codec|subscriptable|indices must|argument|'[A-Z]"
)


def checked_file(path: Path | str) -> int:
    """Return the size in bytes of a regular file, which may be opened without waiting for another process.

    Raises
    ------
    InputError
        There is no such file, it cannot be reached, or it is a folder, a pipe, a socket or a device.
    """
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} does not exist. Check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: a character that no file name can have.
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read ({reason}). Check the path and its permissions.") from error
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path} is a folder. Choose a file.")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path} is a pipe, a socket or a device. Choose a file.")
    return found.st_size


@contextmanager
def reading(path: Path | str, kind: str, remedy: str) -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into an `InputError` with the file, the fault and the remedy.

    The file is checked by `checked_file` first. Errors of this library pass unchanged.

    Parameters
    ----------
    kind : str
        What the file should be, such as "an image", for the message.
    remedy : str
        A sentence on what to do with a file that is damaged.
    """
    checked_file(path)
    try:
        yield
    except ThyroidSynthError:
        raise
    except MemoryError as error:
        raise InputError(
            f"{path} needs more memory than this computer has free. Close other programs, or use a smaller file."
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} cannot be read ({reason}). Check its permissions and the disk.") from error
    except Exception as error:  # A damaged file can raise anything in a parser.
        lines = str(error).strip().splitlines()
        reason = f" ({lines[-1]})" if lines and not _OF_PYTHON.search(lines[-1]) else ""
        raise InputError(f"{path} is damaged or incomplete and cannot be read as {kind}{reason}. {remedy}") from error
