import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.leaderboard.generate import FILES

pytestmark = pytest.mark.usefixtures("few_resamples")

PLAIN = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}
OTHER = {
    "LC_ALL": "POSIX",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONUTF8": "0",  # files and streams are ASCII unless said otherwise
    "TZ": "Pacific/Kiritimati",
    "PYTHONHASHSEED": "4242",
    "OMP_NUM_THREADS": "2",
    "COLUMNS": "20",
}


def generated(root: Path, site: Path, environment: dict[str, str]) -> dict[str, bytes]:
    """Generate the board and its pages in a process of its own; return all files."""
    for name in FILES:
        (root / name).unlink(missing_ok=True)
    command = [sys.executable, "-m", "bench", "leaderboard", "--site", str(site)]
    subprocess.run(
        [*command, "--root", str(root)],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    pages = {p.relative_to(site).as_posix(): p for p in site.rglob("*") if p.is_file()}
    pages |= {name: root / name for name in FILES}
    return {name: path.read_bytes() for name, path in pages.items()}


def test_same_bytes_everywhere(
    repository: Path,
    tmp_path: Path,
    submit: Callable[..., Path],
    edit_json: Callable[..., None],
    rehash: Callable[[Path], None],
) -> None:
    """Locale, time zone, hash seed, threads and terminal change nothing."""
    for number, name in enumerate(("first", "second", "third")):
        folder = submit(name, flat=0.1 * number)
        for file in folder.glob("*.json"):
            edit_json(file, lambda m: m["method"].update(summary="größer, 注意"))
        rehash(folder)
    one = generated(repository, tmp_path / "one", PLAIN)
    other = generated(repository, tmp_path / "other", OTHER)

    assert set(FILES) < set(one)
    assert "index.html" in one
    assert "größer, 注意".encode() in one["methods/first.html"]
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
