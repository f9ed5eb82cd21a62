from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bench.cli.main import main


class Ran(NamedTuple):
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture
def bench(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ran]:
    """Run ``bench`` in an empty folder, with ``--root`` where ``root`` says so."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, root: bool = True) -> Ran:
        capsys.readouterr()
        options = ["--root", str(repository)] if root else []
        code = main([*(str(argument) for argument in arguments), *options])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Ran(code, out, err)

    return run
