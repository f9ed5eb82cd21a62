"""Packages that a method file says it needs.

A file may begin with a block of inline script metadata (PEP 723):

    # /// script
    # dependencies = ["captum>=0.7,<0.10"]
    # ///

It is read and compared with what is installed before the file is loaded, so that what
is missing is said in one message and not by the first import that fails.
"""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import BaseModel, ValidationError

from bench.errors import MethodError

OPENING = "# /// script"
BLOCK = re.compile(r"^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$", re.MULTILINE)
"""The block's reference expression, for the type ``script`` alone."""


Versions = tuple[tuple[str, str], ...]
"""Packages and versions, in order of names."""


class Metadata(BaseModel):
    """What is read of the block; other keys belong to other tools."""

    dependencies: tuple[str, ...] = ()


def check_requirements(source: str, *, where: str) -> Versions:
    """Compare the packages that a method file asks for with those installed.

    Returns:
        The packages and the versions that are installed.

    Raises:
        MethodError: The block cannot be read, or packages are missing.
    """
    missing: list[str] = []
    there: dict[str, str] = {}
    needed = [r for r in _read(source, where=where) if _applies(r)]
    for requirement in needed:
        found = _installed(requirement.name)
        if found is None:
            missing.append(f"{requirement} (not installed)")
        elif not requirement.specifier.contains(found, prereleases=True):
            missing.append(f"{requirement} (found {found})")
        else:
            there[requirement.name] = found
    if missing:
        wanted = " ".join(f"'{requirement}'" for requirement in needed)
        raise MethodError(
            f"'{where}' needs packages that are missing: {', '.join(missing)}. "
            f"Install them with: pip install {wanted}"
        )
    return tuple(sorted(there.items()))


def installed_versions(requirements: Iterable[str]) -> Versions:
    """Return those of a distribution's requirements that are installed here."""
    names = {r.name for r in map(Requirement, requirements) if _applies(r)}
    found = {name: _installed(name) for name in names}
    return tuple(sorted((name, v) for name, v in found.items() if v is not None))


def _read(source: str, *, where: str) -> list[Requirement]:
    begun = source.splitlines().count(OPENING)
    blocks = [match.group("content") for match in BLOCK.finditer(source)]
    if begun > 1:
        raise MethodError(f"'{where}' has {begun} blocks '{OPENING}'; expected one.")
    if begun and not blocks:
        raise MethodError(
            f"'{where}' begins a block '{OPENING}' and does not end it. Every line of "
            "it begins with '# ', and the last one is: # ///"
        )
    if not blocks:
        return []
    lines = blocks[0].splitlines()
    text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)
    try:
        metadata = Metadata.model_validate(tomllib.loads(text))
        return [Requirement(item) for item in metadata.dependencies]
    except ValidationError:
        reason = "dependencies is no list of texts"
        raise MethodError(_unreadable(where, reason)) from None
    except (tomllib.TOMLDecodeError, InvalidRequirement) as error:
        reason = str(error).splitlines()[0]
        raise MethodError(_unreadable(where, reason)) from None


def _unreadable(where: str, reason: str) -> str:
    return (
        f"The block '{OPENING}' of '{where}' cannot be read: {reason}. Expected a line "
        'such as: # dependencies = ["captum>=0.7,<0.10"]'
    )


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
