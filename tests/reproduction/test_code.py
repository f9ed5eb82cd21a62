import zipfile
from pathlib import Path

import pytest

from bench.errors import RunFailedError, UserError
from bench.reproduction import code
from bench.reproduction.code import place_code
from bench.results.attribution_record import MethodKey
from bench.submissions.manifest import (
    CodeFile,
    CodePackage,
    Manifest,
    SuiteKey,
    code_file,
    file_entry,
)
from bench.tasks.digest import sha256_of_file

SOURCE = b"print('never printed by the parent')\n"


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    """A submission with a method file."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "method.py").write_bytes(SOURCE)
    return folder


def manifest(
    code: CodeFile | CodePackage | None, *, method: MethodKey, **changes: str
) -> Manifest:
    """Make a manifest with a certain code."""
    return Manifest.model_construct(
        method=method.model_copy(update=changes),
        suite=SuiteKey(name="core", version="1.0"),
        files=(file_entry("induction/early", b"{}"),),
        code=code,
    )


def test_a_file_is_copied(
    submission: Path, tmp_path: Path, method_key: MethodKey
) -> None:
    """The child is told the method's name, as a file may hold several."""
    made = manifest(code_file(SOURCE), method=method_key)

    assert place_code(submission, made, tmp_path / "w") == "method.py:my-method"
    assert (tmp_path / "w" / "method.py").read_bytes() == SOURCE


def test_another_file_is_refused(
    submission: Path, tmp_path: Path, method_key: MethodKey
) -> None:
    """What is run is what was validated."""
    made = manifest(code_file(b"other"), method=method_key)

    with pytest.raises(UserError, match="not the file that the manifest names"):
        place_code(submission, made, tmp_path / "w")


def test_a_submission_without_code_stays_claimed(
    submission: Path, tmp_path: Path, method_key: MethodKey
) -> None:
    """The message says what to do; a built-in method needs none."""
    with pytest.raises(UserError, match=r"brings no code.*stays claimed"):
        place_code(submission, manifest(None, method=method_key), tmp_path / "w")
    built_in = manifest(None, method=method_key, origin="built-in", name="relp")
    assert place_code(submission, built_in, tmp_path / "w") == "relp"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of one module, in a folder that pip looks into instead of an index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    path = folder / "tiny_method-1.2.3-py3-none-any.whl"
    info = "tiny_method-1.2.3.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("tiny_method.py", "x = 1\n")
        file.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-method\nVersion: 1.2.3\n",
        )
        file.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n"
            "Tag: py3-none-any\n",
        )
        file.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return path


def test_a_package_is_unpacked_by_its_digest(
    wheel: Path, submission: Path, tmp_path: Path, method_key: MethodKey
) -> None:
    """It goes into the workspace, and nowhere else."""
    wanted = CodePackage(
        requirement="tiny-method==1.2.3", sha256=(sha256_of_file(wheel),)
    )
    made = manifest(wanted, method=method_key, source="tiny_method:x")

    assert place_code(submission, made, tmp_path / "w") == "tiny_method:x"
    assert (tmp_path / "w" / "package" / "tiny_method.py").is_file()


def test_a_package_of_another_digest_is_refused(
    wheel: Path, submission: Path, tmp_path: Path, method_key: MethodKey
) -> None:
    """Whoever can replace a release cannot replace what was submitted."""
    wanted = CodePackage(requirement="tiny-method==1.2.3", sha256=("0" * 64,))
    made = manifest(wanted, method=method_key)

    with pytest.raises(RunFailedError, match=r"pip could not get 'tiny-method==1.2.3'"):
        place_code(submission, made, tmp_path / "w")


def test_a_large_package_is_refused(
    wheel: Path,
    submission: Path,
    tmp_path: Path,
    method_key: MethodKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A method is code, and little of it."""
    monkeypatch.setattr(code, "LARGEST_PACKAGE", 10)
    digest = sha256_of_file(wheel)
    wanted = CodePackage(requirement="tiny-method==1.2.3", sha256=(digest,))

    with pytest.raises(UserError, match="bytes; the limit is 10"):
        place_code(submission, manifest(wanted, method=method_key), tmp_path / "w")


def test_a_slow_index_is_not_waited_for(
    wheel: Path,
    submission: Path,
    tmp_path: Path,
    method_key: MethodKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pip is given minutes, not hours."""
    monkeypatch.setattr(code, "INSTALL_S", 0.001)
    wanted = CodePackage(requirement="tiny-method==1.2.3", sha256=("0" * 64,))

    with pytest.raises(RunFailedError, match=r"pip did not get 'tiny-method==1.2.3'"):
        place_code(submission, manifest(wanted, method=method_key), tmp_path / "w")
