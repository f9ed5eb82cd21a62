"""All errors that this package raises on purpose.

    BenchError
     +-- UserError             the command or a file of the user's: exit code 2
     |    +-- UnknownNameError     no such task, method, suite: says what is near
     |    +-- MissingExtraError    a part of the installation is missing
     |    +-- FileFormatError      a file that cannot be read as what it should be
     |    |    +-- ReferencePendingError   a task whose reference was not measured yet
     |    +-- DigestError          a file that differs from its recorded digest
     |    +-- MethodError          the user's method cannot be loaded
     |    +-- AttributionError     an attribution of the wrong shape, kind or value
     +-- RunFailedError        something ran and did not succeed: exit code 1
     |    +-- MethodFailedError    a method raised or returned something unusable
     |    +-- ModelUnavailableError   weights not at hand, or too large for the machine
     |    +-- ReferenceRefusedError   a reference that did not pass its gates
     |    +-- OutOfMemoryError     not even one prompt fits into memory
     |    +-- NoRoomError          a file could not be written
     +-- InvalidSubmissionError   a submission with problems: exit code 3

Messages say what was found, what was expected, and what to do next. The command line
prints them without a traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(Exception):
    """Base of every error raised on purpose."""

    exit_code: int = 1


class UserError(BenchError):
    """Raised when the input has to change before the command can work."""

    exit_code = 2


class UnknownNameError(UserError):
    """Raised when a name is not among the known ones."""

    def __init__(
        self, what: str, name: str, known: Iterable[str], *, advice: str = ""
    ) -> None:
        """Build the message with the nearest and all known names."""
        names = sorted(known)
        near = get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        listed = ", ".join(names) or "none"
        super().__init__(
            f"No {what} is called '{name}'.{hint} Known: {listed}.{advice}"
        )


class MissingExtraError(UserError):
    """Raised when an optional part of the installation is needed and absent."""

    def __init__(self, module: str, *, extra: str) -> None:
        """Say which package is missing and how to install it."""
        super().__init__(
            f"'{module}' is not installed, and this command needs it. "
            f"Install it with: pip install 'induction-bench[{extra}]'"
        )


class FileFormatError(UserError):
    """Raised when a file cannot be read as what it should be."""


class ReferencePendingError(FileFormatError):
    """Raised when a task has no stored reference yet."""


class DigestError(UserError):
    """Raised when a file differs from the digest recorded for it."""


class MethodError(UserError):
    """Raised when a user's method cannot be loaded."""


class AttributionError(UserError):
    """Raised when an attribution has the wrong shape, kind or values."""


class RunFailedError(BenchError):
    """Raised when something ran and did not succeed."""

    exit_code = 1


class MethodFailedError(RunFailedError):
    """Raised when a method raised or returned something unusable."""


class ModelUnavailableError(RunFailedError):
    """Raised when a model cannot be had or does not fit the machine."""


class ReferenceRefusedError(RunFailedError):
    """Raised when a reference does not pass its gates."""


class OutOfMemoryError(RunFailedError):
    """Raised when not even a single prompt fits into memory."""


class NoRoomError(RunFailedError):
    """Raised when a file could not be written."""


class InvalidSubmissionError(BenchError):
    """Raised when a submission has problems."""

    exit_code = 3
