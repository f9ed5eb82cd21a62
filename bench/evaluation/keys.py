"""What computed bytes depend on, what they do not, and when they were made.

Scores are computed from what is kept, so that no part of this package that scores,
stores or shows is in a key: a changed score runs no model again.
"""

from functools import cache

import torch

from bench.cache.entry import Key, Setting
from bench.methods.discovery import FoundMethod
from bench.models.memory import kind_of
from bench.models.subject import SubjectModel
from bench.results.attribution_record import MethodKey, task_key
from bench.results.provenance import Provenance, package_versions, take_provenance
from bench.tasks.digest import sha256_of_python
from bench.tasks.registry import PACKAGE
from bench.tasks.spec import Task, as_text

COMPUTING = ("adapters", "evaluation", "methods", "models", "perturbation", "profiles",
             "tasks")  # fmt: skip
"""Folders of this package whose code computes."""
PACKAGES = (
    "accelerate",
    "captum",
    "nnsight",
    "numpy",
    "safetensors",
    "torch",
    "transformer-lens",
    "transformers",
)
"""Packages that numbers depend on."""


@cache
def code_digest() -> str:
    """Return a digest over the parts of this package that compute."""
    return sha256_of_python(PACKAGE, *(PACKAGE / folder for folder in COMPUTING))


@cache
def _versions() -> dict[str, str]:
    """Return the versions of the packages that are installed, looked up once."""
    return package_versions(PACKAGES)


def method_key(found: FoundMethod) -> MethodKey:
    """Return a method's key."""
    return MethodKey(
        name=found.method.name,
        kind=found.method.kind,
        origin=found.origin,
        source=as_text(found.source),
        source_sha256=found.source_sha256,
        summary=as_text(found.method.summary),
        oracle=found.method.oracle,
    )


def model_provenance(
    model: SubjectModel, *, seed: int, dtype: str | None = None
) -> Provenance:
    """Record the circumstances of a run of a model, by default in its weights' type."""
    return take_provenance(
        device=str(model.device),
        dtype=dtype or str(model.dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
        seed=seed,
        checkout=PACKAGE.parent,
    )


def computation_key(
    what: str,
    task: Task,
    *,
    device: str,
    seed: int,
    found: FoundMethod | None = None,
    settings: dict[str, Setting] | None = None,
) -> Key:
    """Return the key of a part of the work on a task.

    Args:
        what: Which part.
        task: The task.
        device: Where the model runs; of several of a kind it does not matter which.
        seed: Seed of the work's randomness.
        found: The method that does the work, if one does.
        settings: What else the work was told.
    """
    return Key(
        what=what,
        task=task_key(task),
        method=None if found is None else method_key(found),
        method_code=None if found is None else found.code_sha256,
        settings=settings or {},
        device=kind_of(device),
        seed=seed,
        code=code_digest(),
        packages=_versions() | dict(() if found is None else found.packages),
    )
