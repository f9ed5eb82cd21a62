"""Where a number comes from: versions, commit, machine, seed."""

import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bench.tasks.digest import sha256_of_python
from bench.tasks.frozen import FrozenModel
from bench.tasks.registry import PACKAGE
from bench.tasks.spec import Digest, Text

PACKAGES = ("numpy", "torch", "transformers", "datasets", "safetensors", "pydantic")
DISTRIBUTION = "induction-bench"


DType = Literal["float32", "bfloat16"]
"""What matrix products of a method's runs are computed in."""
FLOAT32: DType = "float32"
"""That of references, and of submissions."""


class Provenance(FrozenModel):
    """What it takes to run something again."""

    bench: Text
    """Version of this package."""
    bench_sha256: Digest
    """Over all Python files of this package."""
    git_commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$")] | None
    """Commit of the checkout that holds this package; None for an installed wheel."""
    git_dirty: bool | None
    """Whether that checkout had uncommitted changes."""
    python: Text
    platform: Text
    packages: dict[Text, Text]
    """Versions of the packages that numbers depend on."""
    device: Text
    dtype: Text
    threads: int
    """Threads that torch may use."""
    seed: int
    finished: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")]
    """UTC, ISO 8601, to the second."""


def package_version(name: str) -> str | None:
    """Return a package's version, or None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {name: package_version(name) for name in names}
    return {name: version for name, version in found.items() if version is not None}


def bench_version() -> str:
    """Return this package's version."""
    return package_version(DISTRIBUTION) or "not installed"


@cache
def bench_digest() -> str:
    """Return a digest over all Python files of this package.

    Whatever a stored number depends on in this package, a change to it shows here.
    """
    return sha256_of_python(PACKAGE)


def git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Return the commit of a checkout and whether it has uncommitted changes."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(_git(folder, "status", "--porcelain"))


def _git(folder: Path, *arguments: str) -> str | None:
    if not (folder / ".git").exists():  # not some other repository further up
        return None
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607  (the user's own git)
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


@cache
def _loaded_state(checkout: Path) -> tuple[str | None, bool | None]:
    """Return the state when it was first asked for: later changes are not loaded."""
    return git_state(checkout)


def take_provenance(
    *, device: str, dtype: str, threads: int, seed: int, checkout: Path
) -> Provenance:
    """Record the circumstances of a run; devices come as data, torch stays outside."""
    commit, dirty = _loaded_state(checkout)
    return Provenance(
        bench=bench_version(),
        bench_sha256=bench_digest(),
        git_commit=commit,
        git_dirty=dirty,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        packages=package_versions(PACKAGES),
        device=device,
        dtype=dtype,
        threads=threads,
        seed=seed,
        finished=datetime.now(UTC).replace(microsecond=0).isoformat(),
    )
