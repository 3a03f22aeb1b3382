"""Run the `thyroidsynth` command with ``python -m ThyroidSynthLib.cli``."""

from ThyroidSynthLib.training.distributed import exit_process

from .main import main

if __name__ == "__main__":
    exit_process(main())
