"""Stands in for ``docker``: what would run in the container runs here, and is noted.

Of the isolation nothing but the environment is real. Whether the options are there that
give the rest is looked at by the tests, in the notes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

FLAGS = ("--rm", "--read-only")


def main(machine: Path, arguments: list[str]) -> int:
    """Note the call; run what ``docker run`` was to run."""
    with (machine / "notes" / "docker.jsonl").open("a") as notes:
        notes.write(json.dumps(arguments) + "\n")
    if arguments[0] != "run":
        return 0
    options, command = split(arguments[1:])
    mounts = [dict(map(pair, mount.split(","))) for mount in options["--mount"]]
    inside = {mount["target"]: mount["source"] for mount in mounts}
    words = [inside.get(word, word) for word in command]
    at = words.index("bench.reproduction.child")
    tree = (machine / "installed").read_text()
    start = (
        f"import sys, runpy; sys.path.insert(0, {tree!r}); "
        "runpy.run_module('bench.reproduction.child', run_name='__main__', "
        "alter_sys=True)"
    )
    words = [*words[: at - 3], sys.executable, "-I", "-c", start, *words[at + 1 :]]
    env = dict(pair(word) for word in options["--env"])
    done = subprocess.run(
        [options["--entrypoint"][0], *words],
        env={"PATH": os.environ["PATH"]} | env | {"OMP_NUM_THREADS": "1"},
        cwd=machine / "temp",
        check=False,
    )
    return done.returncode


def pair(word: str) -> tuple[str, str]:
    """Part a name and its value."""
    name, _, value = word.partition("=")
    return name, value


def split(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Part options and what follows the image's name."""
    options: dict[str, list[str]] = {}
    rest = list(words)
    while rest[0].startswith("--"):
        name = rest.pop(0)
        options.setdefault(name, []).append("" if name in FLAGS else rest.pop(0))
    return options, rest[1:]


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
