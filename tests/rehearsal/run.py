"""Rehearse the life of submissions on local repositories.

    python tests/rehearsal/run.py [WORDS]

With WORDS, only the scenes with these words in their names.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(only: str) -> int:
    """Play, and say how each scene went; 0 if all went well."""
    sys.path.insert(0, str(ROOT))
    from tests.rehearsal.play import play

    failed = 0
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        for played in play(Path(folder), only=only):
            mark = "ok" if played.error is None else "FAILED"
            sys.stdout.write(f"{mark:6} {played.seconds:5.1f} s  {played.name}\n")
            if played.error is not None:
                sys.stdout.write(f"{played.error}\n")
            sys.stdout.flush()
            failed += played.error is not None
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(" ".join(sys.argv[1:])))
