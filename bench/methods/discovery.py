"""Find a method by what the user calls it: a file, a module, a plugin, a built-in."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal

from bench.errors import MethodError, UnknownNameError
from bench.methods.catalogue import built_in
from bench.methods.protocol import Method
from bench.methods.requirements import (
    Versions,
    check_requirements,
    installed_versions,
)
from bench.tasks.digest import sha256_of_file, sha256_of_python

GROUP = "bench.methods"
"""Entry point group of installed methods."""

Origin = Literal["file", "module", "entry-point", "built-in"]


@dataclass(frozen=True)
class FoundMethod:
    """A method, where it came from, and the digest of its source file."""

    method: Method
    origin: Origin
    source: str
    """File name or module, never a path of this machine."""
    source_sha256: str
    file: Path | None = None
    """Where the source is on this machine."""
    called: str = ""
    """What finds it again on this machine, from any folder."""
    code_sha256: str = ""
    """Over all Python files that come with the source, when it was loaded."""
    packages: Versions = ()
    """What else it says it needs, as installed here."""


def _code_of(file: Path) -> str:
    """Return a digest over the files of a module's package, or the module alone."""
    folder = package_folder(file)
    return sha256_of_file(file) if folder is None else sha256_of_python(folder)


def package_folder(file: Path) -> Path | None:
    """Return the folder of the outermost package that a file is in; None if in none."""
    found = None
    for folder in file.parents:
        if not (folder / "__init__.py").is_file():
            break
        found = folder
    return found


def find_method(name: str) -> FoundMethod:
    """Resolve ``path.py[:name]``, ``module:name``, an entry point or a built-in.

    Raises:
        MethodError: The file or module cannot be loaded or holds no method.
        UnknownNameError: No method has this name.
    """
    place, _, attribute = name.partition(":")
    if place.endswith(".py"):
        return _from_file(Path(place), attribute)
    if attribute:
        return _from_module(place, attribute, origin="module")
    plugins = _plugins()
    if name in plugins:
        plugin = plugins[name]
        method = _from_module(plugin.module, plugin.attr, origin="entry-point")
        needed = () if plugin.dist is None else plugin.dist.requires or ()
        return replace(method, called=name, packages=installed_versions(needed))
    known = built_in()
    if name in known:
        module, _, attribute = known[name].place.partition(":")
        return replace(_from_module(module, attribute, origin="built-in"), called=name)
    raise UnknownNameError(
        "method",
        name,
        {*known, *plugins},
        advice=f" For a method of your own give its file, as in {name}.py.",
    )


def _plugins() -> dict[str, EntryPoint]:
    return {plugin.name: plugin for plugin in entry_points(group=GROUP)}


def _from_file(path: Path, attribute: str) -> FoundMethod:
    if not path.is_file():
        raise MethodError(
            f"There is no method file '{path}'. Write one with: bench init {path.stem}"
        )
    packages = check_requirements(path.read_text(errors="replace"), where=str(path))
    spec = importlib.util.spec_from_file_location(f"bench_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise MethodError(f"'{path}' is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    with _reported(str(path)):
        spec.loader.exec_module(module)
    found = _pick(module, attribute, where=str(path))
    file = path.resolve()
    digest, called = sha256_of_file(path), f"{file}:{found.name}"
    return FoundMethod(found, "file", path.name, digest, file, called, digest, packages)


def _from_module(name: str, attribute: str, *, origin: Origin) -> FoundMethod:
    try:
        with _reported(name):
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MethodError(
            f"The module '{name}' cannot be imported: {error}. Is it installed?"
        ) from error
    found = _pick(module, attribute, where=name)
    source = inspect.getsourcefile(module)
    if source is None:
        raise MethodError(
            f"The module '{name}' has no source file to take a digest of."
        )
    file = Path(source).resolve()
    called, digest = f"{name}:{attribute}", sha256_of_file(file)
    # what else a built-in method is made of is in every key anyway
    code = digest if origin == "built-in" else _code_of(file)
    return FoundMethod(found, origin, called, digest, file, called, code)


@contextmanager
def _reported(where: str) -> Generator[None, None, None]:
    """Turn whatever a user's code does while it is loaded into one message."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and not where.endswith(".py"):
            raise
        raise MethodError(
            f"'{where}' raised {type(error).__name__} while it was loaded: {error}"
        ) from error


def _pick(module: ModuleType, attribute: str, *, where: str) -> Method:
    """Take the named method of a module, or its only one."""
    methods = {k: v for k, v in vars(module).items() if isinstance(v, Method)}
    if attribute:
        for key, candidate in methods.items():
            if attribute in (key, candidate.name):
                return candidate
        raise UnknownNameError(f"method in '{where}'", attribute, methods)
    if len(methods) != 1:
        raise MethodError(
            f"'{where}' holds {len(methods)} methods"
            + (f" ({', '.join(sorted(methods))})" if methods else "")
            + ("; say which, as in " if methods else "; expected one. Declare it with ")
            + (
                f"{where}:{min(methods)}"
                if methods
                else "@method('name', kind='write')."
            )
        )
    return next(iter(methods.values()))
