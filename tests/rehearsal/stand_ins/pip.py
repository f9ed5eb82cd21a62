"""Stands in for ``pip install``: `bench` then runs from the tree that was named."""

import shlex
import sys
from pathlib import Path

VALUED = ("--constraint", "--index-url", "--extra-index-url", "--requirement")


def main(machine: Path, arguments: list[str]) -> None:
    """Write the program ``bench``, if a tree is among what is installed."""
    named = iter(arguments)
    targets = []
    for word in named:
        if word in VALUED:
            next(named)
        elif not word.startswith("-"):
            targets.append(word)
    for target in targets:
        tree = Path(target.partition("[")[0]).resolve()
        if (tree / "pyproject.toml").is_file():
            (machine / "installed").write_text(str(tree))
            program = machine / "programs" / "bench"
            python = shlex.quote(str(machine / "programs" / "python"))
            program.write_text(f'#!/bin/bash\nexec {python} -P -m bench "$@"\n')
            program.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
