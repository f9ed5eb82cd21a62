"""How do time and memory of validation and leaderboard grow with submissions?

Ten synthetic tasks, so that 10,000 submissions are 100,000 attributions. Run, an hour:
``python experiments/0009-scale/scale.py FOLDER [SIZE ...]``.
"""

import os
import shutil
import sys
import time
from pathlib import Path

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.many_submissions import write_repository

SIZES = (10, 100, 1_000, 10_000)


def measured(arguments: list[str]) -> tuple[float, float, float]:
    """Run ``bench``; return seconds, seconds of CPU and peak memory in MB."""
    command = [sys.executable, "-m", "bench", *arguments]
    started = time.perf_counter()
    process = os.posix_spawn(
        command[0],
        command,
        os.environ | {"OMP_NUM_THREADS": "1"},
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, used = os.wait4(process, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"bench {arguments[0]} failed")
    wall = time.perf_counter() - started
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Print a table."""
    place = Path(sys.argv[1])
    rows = []
    for size in map(int, sys.argv[2:] or SIZES):
        root = place / str(size)
        write_repository(root, size)
        folders = sorted(str(path) for path in (root / "submissions").iterdir())
        for command in (["validate", *folders], ["leaderboard"]):
            found = measured([*command, "--root", str(root)])
            rows.append([command[0], size, *found, 1000 * found[1] / size])
            print(*rows[-1], flush=True)
        rows[-1].append((root / "leaderboard.json").stat().st_size / 1e6)
        shutil.rmtree(root)
    heads = ["command", "submissions", "seconds", "CPU s", "peak MB"]
    print(tabulate(rows, [*heads, "ms each", "JSON MB"], floatfmt=".1f"))


if __name__ == "__main__":
    main()
