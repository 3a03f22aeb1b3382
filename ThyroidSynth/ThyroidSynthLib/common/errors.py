"""The family of errors a user may meet.

A message names the file, says what is wrong with it and what to do about it,
because it is shown as it stands: in a dialog of Slicer or on the terminal.
"""


class ThyroidSynthError(Exception):
    """Something the user can understand and act upon."""


class InputError(ThyroidSynthError):
    """A file, folder or option that was given cannot be used."""


class OutputError(ThyroidSynthError):
    """A result cannot be written, or would overwrite something unasked."""


class CohortError(ThyroidSynthError):
    """A cohort folder is missing, damaged or does not fit what is asked of it."""


class ModelError(ThyroidSynthError):
    """A model file is missing, damaged or does not fit what is asked of it."""


class SynthesisError(ThyroidSynthError):
    """A latent code gives no usable surface, or a wish cannot be met."""


class JobError(ThyroidSynthError):
    """A training job cannot be started, found or stopped."""


class Cancelled(ThyroidSynthError):
    """The user asked to stop. Not a failure; nothing half-written is left."""
