"""Run the torch-free commands where torch is not installed.

A script, not a test: it runs in an environment with the base dependencies alone.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "transformers", "datasets")
EXTRA = "induction-bench[run]"

Expectation = Callable[[subprocess.CompletedProcess[str]], bool]


def say(text: str) -> None:
    """Write a line to stdout at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def succeeds(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether a command did what it should."""
    return done.returncode == 0 and "Traceback" not in done.stderr


def says_how_it_stands(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether a command tells if a page is stale; that none is, `make board` asks."""
    stale = done.returncode != 0 and " anew with" in done.stderr
    return succeeds(done) or (stale and "Traceback" not in done.stderr)


def asks_for_the_extra(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether a command says what to install, without a traceback."""
    named = EXTRA in done.stderr and "Traceback" not in done.stderr
    return done.returncode == 2 and named


def commands(scratch: Path) -> list[tuple[Sequence[str], Expectation]]:
    """List what is run, and what is expected of it."""
    tasks = sorted((ROOT / "tasks").glob("*/*/task.toml"))
    name = f"{tasks[0].parent.parent.name}/{tasks[0].parent.name}"
    lines: list[tuple[Sequence[str], Expectation]] = [
        (("--help",), succeeds),
        *((("list", what), succeeds) for what in ("tasks", "methods", "suites")),
        (("show", name), succeeds),
        (("env",), succeeds),
        (("leaderboard", "--check"), says_how_it_stands),
        (("findings", "--check"), says_how_it_stands),
        (("task", "planted", str(scratch / "planted"), "--seed", "1"), succeeds),
        (("show", str(scratch / "planted" / "task.toml")), succeeds),
        (("task", "init", str(scratch / "own"), "--model", "m"), asks_for_the_extra),
        (("evaluate", "attribution-patching"), asks_for_the_extra),
        (("doctor", "attribution-patching"), asks_for_the_extra),
    ]
    # the check of the leaderboard validates and scores them all
    folder = min((ROOT / "submissions").glob("*/submission.json")).parent
    lines.append((("validate", str(folder)), succeeds))
    results = unpack(folder, scratch / folder.name)
    lines.append((("score", str(results)), succeeds))
    lines.append((("compare", str(results), str(folder)), succeeds))
    return lines


def unpack(submission: Path, results: Path) -> Path:
    """Copy the attributions of a submission to where ``bench evaluate`` puts them."""
    manifest = json.loads((submission / "submission.json").read_bytes())
    for entry in manifest["files"]:
        source = submission / entry["path"]
        task = json.loads(source.read_bytes())["task"]["id"]
        target = results / f"{task}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    return results


def run(line: Sequence[str], expectation: Expectation, *, folder: Path) -> bool:
    """Run a command in a folder and say whether it did what it should."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", *line],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    passed = expectation(done)
    say(f"{'ok' if passed else 'FAILED'}  bench {' '.join(line)}")
    if not passed:
        say(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return passed


def main() -> int:
    """Run everything; 0 if all of it did what it should."""
    found = [name for name in HEAVY if importlib.util.find_spec(name) is not None]
    if found:
        sys.stderr.write(
            f"{', '.join(found)} can be imported here. Run this script in an "
            "environment with the base dependencies alone: make base\n"
        )
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        results = [run(*line, folder=folder) for line in commands(folder)]
    passed = sum(results)
    say(f"{passed} passed, {len(results) - passed} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
