"""What passes between the two processes: the request and the answers.

The parent is trusted and writes the request; the child runs the submission, so that
whatever comes back is a stranger's.
"""

from typing import Annotated

from pydantic import Field, model_validator

from bench.tasks.frozen import FrozenModel, SchemaVersion

REQUEST = "request.json"
CIRCUITS = "circuits"
ANSWERS = "answers"
PACKAGE_FOLDER = "package"
STARTED = "started"
"""Written into the folder of answers before anything of the submission is loaded."""
PROMPTS = "prompts.safetensors"
SEED = "seed"
LONGEST_ERROR = 1000
"""Characters of a method's message that are passed on."""

Values = Annotated[tuple[float, ...], Field(min_length=1)]


class Limits(FrozenModel):
    """What the child may use. It lowers its own limits before it loads anything."""

    timeout_s: Annotated[float, Field(gt=0)] = 3600.0
    """Wall time of all circuits together."""
    memory_gb: Annotated[float, Field(gt=0)] = 8.0
    """Address space of a process, and resident memory of all."""
    file_mb: Annotated[int, Field(ge=1)] = 16
    """Size of a written file."""
    disk_mb: Annotated[int, Field(ge=1)] = 64
    """Everything that is written and kept."""
    processes: Annotated[int, Field(ge=1)] = 256
    """Processes and threads."""


class Request(FrozenModel):
    """What the child is asked to do."""

    schema_version: SchemaVersion = 1
    method: str
    """``method.py``, ``module:attribute`` or the name of a built-in method."""
    circuits: Annotated[int, Field(ge=1)]
    """Folders ``circuits/000`` and on, each with a model, prompts and a seed."""
    limits: Limits


class Answer(FrozenModel):
    """What the method said of a circuit."""

    values: Values | None = None
    """Attribution of each section, [S]."""
    per_prompt: Annotated[tuple[Values, ...], Field(min_length=1)] | None = None
    """The same for each prompt, [P, S]."""
    error: Annotated[str, Field(max_length=LONGEST_ERROR)] | None = None
    """Why there is none."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Answer":
        if (self.values is None) == (self.error is None):
            raise ValueError("an answer has either values or an error")
        rows = self.per_prompt or ()
        if self.values is None and rows:
            raise ValueError("an answer without values has no per_prompt")
        if any(len(row) != len(self.values or ()) for row in rows):
            raise ValueError("per_prompt needs as many numbers a row as values")
        return self


def circuit_name(index: int) -> str:
    """Return the folder of a circuit."""
    return f"{index:03d}"


def answer_name(index: int) -> str:
    """Return the file of an answer."""
    return f"{index:03d}.json"
