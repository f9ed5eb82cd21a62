import hashlib
import re
import sys
from importlib.metadata import EntryPoint, version
from pathlib import Path

import pytest

from bench.errors import MethodError, UnknownNameError
from bench.methods import discovery
from bench.methods.discovery import find_method

ONE = '''\
import numpy as np

from bench.api import LayerAttribution, TaskContext, method


@method("my-method", kind="write")
def mine(ctx: TaskContext) -> LayerAttribution:
    """Say one."""
    return LayerAttribution(np.ones(ctx.n_sections))
'''

TWO = (
    ONE
    + '''

@method("my-second", kind="state")
def second(ctx: TaskContext) -> LayerAttribution:
    """Say two."""
    return LayerAttribution(2 * np.ones(ctx.n_sections))
'''
)


def write(folder: Path, text: str, name: str = "trial.py") -> str:
    """Write a method file and return its path."""
    path = folder / name
    path.write_text(text)
    return str(path)


def test_file_with_one_method(tmp_path: Path) -> None:
    """A file that holds one method is found by its path alone, digest and all."""
    found = find_method(write(tmp_path, ONE))

    assert found.method.name == "my-method"
    assert (found.origin, found.source) == ("file", "trial.py")
    assert found.source_sha256 == hashlib.sha256(ONE.encode()).hexdigest()


@pytest.mark.parametrize("name", ["second", "my-second"])
def test_one_of_a_files_methods(tmp_path: Path, name: str) -> None:
    """A method of a file is found by its variable or by its own name."""
    assert find_method(f"{write(tmp_path, TWO)}:{name}").method.name == "my-second"


def test_file_with_two_methods_is_refused(tmp_path: Path) -> None:
    """A file with two methods needs to be told which."""
    path = write(tmp_path, TWO)

    with pytest.raises(
        MethodError,
        match=rf"holds 2 methods \(mine, second\); say which, as in "
        rf"{re.escape(path)}:mine$",
    ):
        find_method(path)


def test_file_without_methods_is_refused(tmp_path: Path) -> None:
    """A file without a method is told how to declare one."""
    with pytest.raises(
        MethodError,
        match=r"holds 0 methods; expected one\. Declare it with @method\('name', kind",
    ):
        find_method(write(tmp_path, "x = 1\n"))


def test_unknown_method_of_a_file(tmp_path: Path) -> None:
    """A wrong name in a file is answered with the names that are there."""
    with pytest.raises(
        UnknownNameError,
        match=r"No method in '.*trial\.py' is called 'secnd'\. Did you mean 'second'\?",
    ):
        find_method(f"{write(tmp_path, TWO)}:secnd")


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A missing file is answered with the command that writes one."""
    with pytest.raises(
        MethodError, match=r"no method file '.*none\.py'\. Write one with: bench init n"
    ):
        find_method(str(tmp_path / "none.py"))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1 / 0\n", "ZeroDivisionError while it was loaded: division by zero"),
        ("raise SystemExit(0)\n", "SystemExit while it was loaded: 0"),
        ("def f(:\n", "SyntaxError while it was loaded: "),
        ("import no_such_module_here\n", "ModuleNotFoundError while it was loaded: No"),
        (
            ONE.replace("my-method", "My Method"),
            "MethodError while it was loaded: 'My Method' cannot name a method",
        ),
    ],
    ids=["division", "exit", "syntax", "import", "name"],
)
def test_file_that_raises_is_refused(tmp_path: Path, text: str, error: str) -> None:
    """What a file raises while it is loaded is repeated with the file's name."""
    with pytest.raises(MethodError, match=rf"trial\.py' raised {re.escape(error)}"):
        find_method(write(tmp_path, text))


def test_file_that_is_no_python_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that the import system has no loader for is refused."""
    monkeypatch.setattr(
        "importlib.util.spec_from_file_location", lambda *_args, **_keywords: None
    )

    with pytest.raises(MethodError, match=r"trial\.py' is not a Python file"):
        find_method(write(tmp_path, ONE))


def test_module_and_name() -> None:
    """A method of an importable module is found as module:name."""
    found = find_method("bench.methods.ablation.mean:mean_ablation")

    assert (found.origin, found.method.name) == ("module", "mean-ablation")
    assert found.source == "bench.methods.ablation.mean:mean_ablation"
    source = Path(str(sys.modules["bench.methods.ablation.mean"].__file__))
    assert found.source_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()


def test_missing_module_is_refused() -> None:
    """A module that cannot be imported is a user's error."""
    with pytest.raises(
        MethodError,
        match=r"module 'no_such_module' cannot be imported: .*Is it installed\?",
    ):
        find_method("no_such_module:mine")


def test_unknown_name_in_a_module() -> None:
    """A wrong name in a module is answered with the nearest."""
    with pytest.raises(UnknownNameError, match=r"Did you mean 'denoising'\?"):
        find_method("bench.methods.patching.activation_patching:denoise")


def test_module_without_source_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method whose source cannot be read has no digest and is refused."""
    monkeypatch.setattr("inspect.getsourcefile", lambda _module: None)

    with pytest.raises(MethodError, match="has no source file to take a digest of"):
        find_method("mean-ablation")


def test_built_in_by_name() -> None:
    """A built-in method is found by its bare name."""
    found = find_method("eap-ig")

    assert (found.origin, found.method.name) == ("built-in", "eap-ig")


def test_unknown_name_is_answered_with_the_nearest() -> None:
    """A wrong name is answered with the nearest, all names and the way to a file."""
    with pytest.raises(
        UnknownNameError,
        match=r"No method is called 'eap-gi'\. Did you mean 'eap-ig'\? Known: .*mean-"
        r"ablation.* give its file, as in eap-gi\.py\.",
    ):
        find_method("eap-gi")


def test_installed_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point is found by its name, before a built-in of the same name."""
    write(tmp_path, TWO, "bench_trial_plugin.py")
    monkeypatch.syspath_prepend(tmp_path)
    plugin = EntryPoint("eap-ig", "bench_trial_plugin:second", discovery.GROUP)
    monkeypatch.setattr(discovery, "entry_points", lambda *, group: [plugin])

    found = find_method("eap-ig")

    assert (found.origin, found.method.name) == ("entry-point", "my-second")
    assert found.source == "bench_trial_plugin:second"


def test_what_a_method_needs_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file by its block, an installed method by its distribution's requirements."""
    header = '# /// script\n# dependencies = ["numpy>=1"]\n# ///\n'
    file = find_method(write(tmp_path, header + ONE))
    write(tmp_path, TWO, "bench_trial_plugin.py")
    about = tmp_path / "trial-1.0.dist-info"
    about.mkdir()
    (about / "entry_points.txt").write_text(
        f"[{discovery.GROUP}]\nsecond = bench_trial_plugin:second\n"
    )
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: trial\nVersion: 1.0\nRequires-Dist: pydantic>=2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    installed = find_method("second")

    assert file.packages == (("numpy", version("numpy")),)
    assert installed.origin == "entry-point"
    assert installed.packages == (("pydantic", version("pydantic")),)
    assert find_method("attribution-patching").packages == ()


def test_file_may_define_dataclasses(tmp_path: Path) -> None:
    """A dataclass with string annotations can be defined in a method file."""
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        + ONE
        + "\n\n@dataclass\nclass Setting:\n    width: int = 3\n"
    )

    assert find_method(write(tmp_path, text)).method.name == "my-method"
