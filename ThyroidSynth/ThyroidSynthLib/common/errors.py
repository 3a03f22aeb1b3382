"""The errors that a user may see.

A message names the file, the fault and the remedy, because it is shown unchanged in a dialog of Slicer or on the
terminal.
"""


class ThyroidSynthError(Exception):
    """Base class of errors that the user can understand and fix."""


class InputError(ThyroidSynthError):
    """A file, folder or option cannot be used."""


class OutputError(ThyroidSynthError):
    """A result cannot be written, or would replace a file without permission."""


class CohortError(ThyroidSynthError):
    """A cohort folder is missing, damaged or unsuitable."""


class ModelError(ThyroidSynthError):
    """A model file is missing, damaged or unsuitable."""


class SynthesisError(ThyroidSynthError):
    """A latent code has no valid surface, or targets cannot be reached."""


class JobError(ThyroidSynthError):
    """A training job cannot be started, found or stopped."""


class Cancelled(ThyroidSynthError):
    """The user cancelled the operation. No incomplete files are left."""
