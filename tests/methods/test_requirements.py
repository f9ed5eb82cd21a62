from importlib.metadata import version
from pathlib import Path

import pytest

from bench.errors import MethodError
from bench.methods.discovery import find_method
from bench.methods.requirements import check_requirements, installed_versions


def block(*dependencies: str) -> str:
    """Write a file's block of metadata."""
    listed = ", ".join(f'"{item}"' for item in dependencies)
    return f"# /// script\n# dependencies = [{listed}]\n# ///\n"


def test_nothing_asked_for_is_nothing_missing() -> None:
    """A file without a block, or with an empty one, asks for nothing."""
    check_requirements("import torch\n", where="a.py")
    check_requirements(block(), where="a.py")
    check_requirements('# /// script\n# requires-python = ">=3.11"\n# ///\n', where="a")


def test_installed_packages_are_accepted() -> None:
    """Names, bounds and extras of installed packages pass."""
    found = version("numpy")
    asked = block("torch>=2", f"numpy=={found}", "none; python_version < '3'")

    installed = check_requirements(asked, where="a.py")
    assert installed == (("numpy", found), ("torch", version("torch")))


def test_all_missing_packages_are_named_at_once() -> None:
    """What is absent and what is too old are told together, with a command."""
    source = block("no-such-package>=1", "numpy<1", "torch>=2")
    found = version("numpy")

    with pytest.raises(MethodError) as caught:
        check_requirements(source, where="mine.py")

    assert str(caught.value) == (
        "'mine.py' needs packages that are missing: no-such-package>=1 (not "
        f"installed), numpy<1 (found {found}). Install them with: pip install "
        "'no-such-package>=1' 'numpy<1' 'torch>=2'"
    )


def test_versions_of_a_distribution() -> None:
    """Those of what it requires, as far as it applies and is there."""
    required = ["torch>=2", "numpy<1", "no-such-package", "mypy; extra == 'dev'"]

    assert installed_versions(required) == (
        ("numpy", version("numpy")),
        ("torch", version("torch")),
    )


def test_markers_are_honoured() -> None:
    """A package for another Python is not asked for."""
    check_requirements(block("no-such-package; python_version < '3'"), where="a.py")


@pytest.mark.parametrize(
    "source",
    [
        "# /// script\n# dependencies = [\n# ///\n",
        '# /// script\n# dependencies = "numpy"\n# ///\n',
        block("no such package"),
    ],
)
def test_unreadable_blocks_are_refused(source: str) -> None:
    """A block that is no TOML, no list, or holds no requirement is an error."""
    with pytest.raises(MethodError, match=r"'# /// script' of 'a\.py' cannot be read"):
        check_requirements(source, where="a.py")


def test_two_blocks_are_refused() -> None:
    """The standard allows one block of a type."""
    with pytest.raises(MethodError, match="has 2 blocks '# /// script'; expected one"):
        check_requirements(block() + "\n" + block(), where="a.py")


def test_adjacent_blocks_are_two() -> None:
    """Without a line between them they are still two."""
    with pytest.raises(MethodError, match="has 2 blocks"):
        check_requirements(block() + block(), where="a.py")


def test_a_block_without_end_is_refused() -> None:
    """What is not read is not passed over in silence."""
    source = "# /// script\n# dependencies = []\nimport torch\n"
    with pytest.raises(MethodError, match=r"'a\.py' begins a block .* does not end"):
        check_requirements(source, where="a.py")


def test_file_is_not_loaded_when_packages_are_missing(tmp_path: Path) -> None:
    """The message comes from the block and not from the import that would fail."""
    path = tmp_path / "mine.py"
    path.write_text(block("no-such-package") + "\nimport no_such_package\n")

    with pytest.raises(MethodError, match=r"no-such-package \(not installed\)"):
        find_method(str(path))
