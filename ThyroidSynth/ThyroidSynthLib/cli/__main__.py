"""Lets ``python -m ThyroidSynthLib.cli`` do what ``thyroidsynth`` does."""

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main())
