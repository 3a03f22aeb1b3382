"""The `thyroidsynth` command: one file per subcommand, each only wiring of the library."""

from .main import main

__all__ = ["main"]
