"""Print the memory that measuring responses takes beside model and prompts, in bytes.

    python -m tests.benchmarks.speed.peak '{"prompts": 4}'

The argument is a shape. A process of its own knows its highest memory.
"""

import json
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from bench.perturbation.layout import no_progress
from bench.perturbation.stages import full_response
from tests.benchmarks.speed.models import Shape, random_bench, random_model

KB = 1024


def highest() -> int:
    """Return the highest memory of this process so far, in bytes."""
    return KB * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measured(shape: Shape) -> int:
    """Measure in another process."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(asdict(shape))],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def main(shape: Shape) -> None:
    """Measure in this process."""
    bench = random_bench(shape, random_model(shape))
    full_response(bench.first(1), strength=0.05, progress=no_progress)
    before = highest()
    full_response(bench, strength=0.05, progress=no_progress)
    sys.stdout.write(str(highest() - before))


if __name__ == "__main__":
    main(Shape(**json.loads(sys.argv[1])))
