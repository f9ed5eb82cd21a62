"""Task files: ``task.toml`` as data."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bench.errors import DigestError, FileFormatError
from bench.tasks.digest import sha256_of_record, verify_files
from bench.tasks.drawing import RepeatedRandom
from bench.tasks.frozen import FrozenModel, SchemaVersion
from bench.tasks.planted import ARCHITECTURES, PlantedRecipe
from bench.tasks.prompts import Prompt, Split, read_prompts

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
TEXT = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$"
"""No control characters, and none that change the direction of writing."""
LONGEST_TEXT = 1000
Text = Annotated[str, Field(pattern=TEXT, max_length=LONGEST_TEXT)]
PROSE = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$"
"""The same, with tabs and line breaks."""
LONGEST_PROSE = 4000
Prose = Annotated[str, Field(pattern=PROSE, max_length=LONGEST_PROSE)]
SLUG = r"^[a-z0-9][a-z0-9-]{0,63}$"
Slug = Annotated[str, Field(pattern=SLUG)]


def as_text(text: str) -> str:
    """Make a line of any text: what a :data:`Text` may not hold becomes a space."""
    return _printable(text, TEXT, LONGEST_TEXT)


def as_prose(text: str) -> str:
    """Make prose of any text: what :data:`Prose` may not hold becomes a space."""
    return _printable(text, PROSE, LONGEST_PROSE)


def _printable(text: str, pattern: str, longest: int) -> str:
    known = text.encode("utf-8", errors="replace").decode()[:longest]
    return "".join(c if re.fullmatch(pattern, c) else " " for c in known)


MOST_BLOCKS = 1000
"""More than any model has."""

SOURCES = ("embedded", "path", "hub", "planted")
"""Keys of ``[model]`` of which a task has exactly one."""

MODELS_FOLDER = "models"
"""Where the embedded models are, beside the families."""


class ModelSource(FrozenModel):
    """Where a task's model comes from and how it is known to be the right one."""

    embedded: Slug | None = None
    """Name of a folder in ``tasks/models``."""
    path: Text | None = None
    """A local folder, relative to the task file."""
    hub: Text | None = None
    """A hub id; needs ``revision``."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    """The hub commit, 40 hexadecimal digits."""
    planted: PlantedRecipe | None = None
    """A model written by hand, generated whenever it is needed."""
    gated: bool = False
    """Whether the hub asks for a licence to be accepted first."""
    parameters: Annotated[int, Field(ge=1, le=10**15)] | None = None
    """Number of weights, known before the model is at hand."""
    architecture: str
    """``model_type`` of the model's configuration."""
    blocks: Annotated[int, Field(ge=1, le=MOST_BLOCKS)]
    sha256: dict[Text, Digest] = Field(default_factory=dict)
    """Digests of the model's files. Empty for a hub model, which its revision pins, and
    for a planted one, which its seed does."""

    @property
    def gigabytes(self) -> float | None:
        """Memory of the weights in float32, twice: an untrained model is the null."""
        return None if self.parameters is None else 2 * 4 * self.parameters / 1e9


class PromptSource(FrozenModel):
    """The prompt file, its digest, and the recipe it was drawn by."""

    file: Text
    sha256: Digest
    recipe: RepeatedRandom | None = None


ProtocolName = Literal["relative-response-2"]
PROTOCOL: ProtocolName = "relative-response-2"
"""The reference protocol. A change of anything it measures or demands is a new one."""


class EarlierVersion(FrozenModel):
    """A version of a task that had this one's model and prompts.

    Only its reference was measured or read wrongly: what methods answered stays valid.
    """

    version: Annotated[int, Field(ge=1)]
    digest: Digest


class TaskSpec(FrozenModel):
    """The contents of a ``task.toml``."""

    schema_version: SchemaVersion
    family: Slug
    name: Slug
    version: Annotated[int, Field(ge=1)]
    """Rises by one with every change that can move a score."""
    summary: Text
    licence: Text
    protocol: ProtocolName
    """The reference protocol."""
    model: ModelSource
    prompts: PromptSource
    earlier: tuple[EarlierVersion, ...] = ()
    """Versions whose attributions are scored on this one. Not part of the digest."""
    tolerance: Annotated[float, Field(gt=0.0, le=1.0)] = 0.01
    """How far a method run again may lie from its claims, relative to its largest
    value. It moves no score and is not part of the digest."""

    @property
    def id(self) -> str:
        """The task's full name, ``family/name``."""
        return f"{self.family}/{self.name}"


@dataclass(frozen=True)
class Task:
    """A task file and where it lies."""

    spec: TaskSpec
    file: Path

    @property
    def folder(self) -> Path:
        """The folder of the task file."""
        return self.file.parent

    @property
    def id(self) -> str:
        """The task's full name, ``family/name``."""
        return self.spec.id

    @property
    def digest(self) -> str:
        """SHA-256 over everything in the task file that can move a score.

        A folder may move: digests of its files, or the revision, say what is in it.
        """
        return self.digest_of(self.spec.version)

    def digest_of(self, version: int) -> str:
        """Return what the digest of another version is, if nothing else changed."""
        fields = self.spec.model_dump(
            mode="json", include={"family", "name", "protocol"}
        )
        fields["version"] = version
        model = self.spec.model.model_dump(
            mode="json", exclude_none=True, exclude={"gated", "parameters", "path"}
        )
        prompts = self.spec.prompts.sha256
        return sha256_of_record(fields | {"model": model, "prompts": prompts})

    @property
    def n_sections(self) -> int:
        """Number of sections of the task's model."""
        return 2 * self.spec.model.blocks

    @property
    def local_model_folder(self) -> Path | None:
        """Where the model's files are, or None if no folder holds it."""
        source = self.spec.model
        if source.embedded is not None:
            return self.folder.parent.parent / MODELS_FOLDER / source.embedded
        return None if source.path is None else (self.folder / source.path).resolve()

    def verify_prompts(self) -> None:
        """Check the prompt file against its recorded digest.

        Raises:
            DigestError: The file is missing or altered.
        """
        source = self.spec.prompts
        verify_files(self.folder, {source.file: source.sha256}, next_step=_RESTORE)

    def verify_model(self) -> None:
        """Check the files of a local model against their recorded digests.

        Raises:
            DigestError: Files are missing, altered or not recorded.
        """
        folder = self.local_model_folder
        if folder is None:
            return
        recorded = self.spec.model.sha256
        verify_files(folder, recorded, next_step=_RESTORE)
        found = {"config.json", *(f.name for f in folder.glob("*.safetensors*"))}
        if not found <= set(recorded):
            raise DigestError(
                f"'{folder}' holds files that a model is loaded from and that have no "
                f"recorded digest: {', '.join(sorted(found - set(recorded)))}. Record "
                "them in [model.sha256], or remove them."
            )

    def read_prompts(self, split: Split) -> tuple[Prompt, ...]:
        """Read one split of the frozen prompts.

        Raises:
            DigestError: The prompt file is missing or altered.
            FileFormatError: The prompt file cannot be read.
        """
        self.verify_prompts()
        return read_prompts(self.folder / self.spec.prompts.file, split=split)


_RESTORE = (
    "Restore them (git checkout), or, if the change is meant, give the task a new "
    "version and new digests."
)


def read_task(path: Path) -> Task:
    """Read a task file.

    Args:
        path: A ``task.toml``.

    Raises:
        FileFormatError: The file is missing, is not TOML, or does not fit the model.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileFormatError(
            f"The task file '{path}' cannot be read: {error.strerror}."
        ) from None
    except (ValueError, RecursionError) as error:  # TOML's own, UTF-8, huge numbers
        raise FileFormatError(
            f"The task file '{path}' is not valid TOML: {error}"
        ) from None
    spec = TaskSpec.parse(json.dumps(document, default=_foreign), file=path)
    check_model_source(spec.model, path)
    task = Task(spec=spec, file=path.resolve())
    _check_earlier(task, path)
    return task


def _check_earlier(task: Task, path: Path) -> None:
    """Check that earlier versions came before and had the same model and prompts."""
    versions = [entry.version for entry in task.spec.earlier]
    own = task.spec.version
    if len(set(versions)) < len(versions) or any(v >= own for v in versions):
        raise FileFormatError(
            f"'{path}': [[earlier]] lists the versions {versions}; expected each once, "
            f"and all below the present one, {own}."
        )
    for entry in task.spec.earlier:
        expected = task.digest_of(entry.version)
        if entry.digest != expected:
            raise FileFormatError(
                f"'{path}': [[earlier]] says that version {entry.version} had the "
                f"digest {entry.digest[:12]}...; with the present model, prompts and "
                f"protocol it is {expected[:12]}.... Attributions on another model or "
                "other prompts cannot be scored again: remove the entry."
            )


def _foreign(value: object) -> dict[str, str]:
    """Show dates and times, which JSON does not know, as what fits nowhere."""
    return {type(value).__name__: str(value)}


def check_model_source(source: ModelSource, path: Path) -> None:
    """Check what the types of a ``[model]`` table cannot say.

    Raises:
        FileFormatError: There is no source or more than one, a hub model has no
            revision or has digests, other files have none, or a circuit cannot be
            planted so.
    """
    given = [key for key in SOURCES if getattr(source, key) is not None]
    if len(given) != 1:
        raise FileFormatError(
            f"'{path}': [model] needs exactly one of {', '.join(SOURCES)}; "
            f"found {', '.join(given) or 'none'}."
        )
    if source.hub is not None and source.revision is None:
        raise FileFormatError(
            f"'{path}': [model] hub = '{source.hub}' needs 'revision', the commit's 40 "
            "hexadecimal digits."
        )
    if source.hub is not None and source.sha256:
        raise FileFormatError(
            f"'{path}': [model.sha256] is for files in a folder; a hub model is pinned "
            "by its revision. Leave it out."
        )
    _check_planted(source, path)
    in_folder = source.embedded is not None or source.path is not None
    if in_folder and not source.sha256:
        raise FileFormatError(
            f"'{path}': [model.sha256] is empty; record the SHA-256 of config.json and "
            "of every safetensors file."
        )


def _check_planted(source: ModelSource, path: Path) -> None:
    if source.planted is None:
        return
    if source.architecture not in ARCHITECTURES:
        raise FileFormatError(
            f"'{path}': circuits are planted in {', '.join(ARCHITECTURES)}; [model] "
            f"architecture is '{source.architecture}'."
        )
    if source.blocks < source.planted.fewest_blocks:
        raise FileFormatError(
            f"'{path}': the planted circuit needs {source.planted.fewest_blocks} "
            f"blocks; [model] blocks is {source.blocks}."
        )
