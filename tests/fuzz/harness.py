"""Coverage-guided fuzzing of what reads a stranger's bytes (needs atheris).

``python -m tests.fuzz.harness TARGET [-runs=N] [-max_total_time=SECONDS] [CORPUS]``;
the targets are those of ``TARGETS``, and what follows goes to libFuzzer.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(  # pyright: ignore[reportAttributeAccessIssue]
    include=[
        "bench.tasks.strict_json",
        "bench.submissions.schema_checks",
        "bench.submissions.problems",
        "bench.submissions.file_names",
        "bench.results.per_prompt_file",
    ]
):
    from bench.errors import FileFormatError
    from bench.results.attribution_record import AttributionRecord
    from bench.results.per_prompt_file import parse_per_prompt
    from bench.submissions.manifest import Manifest
    from bench.submissions.problems import Problem
    from bench.submissions.schema_checks import parse_checked
    from bench.submissions.withdrawal import Withdrawal
    from bench.tasks.strict_json import find_problem


def strict(data: bytes) -> None:
    """What is accepted is what Python reads and writes again, without constants."""
    problem = find_problem(data)
    if problem is None:
        text = json.dumps(json.loads(data.decode()), allow_nan=False)
        if find_problem(text.encode()) is not None:
            raise AssertionError(f"{data!r} is accepted, and not when written again")
    elif not (problem.isprintable() and len(problem) < 200):
        raise AssertionError(f"{problem!r} is no message")


def records(data: bytes) -> None:
    """A record is returned, or problems that can be printed anywhere."""
    for model in (Manifest, AttributionRecord, Withdrawal):
        problems: list[Problem] = []
        record = parse_checked("x.json", data, model, problems)
        if (record is None) != bool(problems):
            raise AssertionError(f"{data!r} is neither accepted nor refused")


def arrays(data: bytes) -> None:
    """Values are returned, or a FileFormatError is raised."""
    try:
        values = parse_per_prompt(data, file="x.safetensors")
    except FileFormatError:
        return
    if values.ndim != 2 or 8 * values.size > len(data):
        raise AssertionError(f"{data!r} has values that it does not hold")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "strict": strict,
    "records": records,
    "arrays": arrays,
}


def main(arguments: list[str]) -> None:
    """Fuzz one target; libFuzzer ends the process."""
    target, *options = arguments
    dictionary = Path(__file__).with_name("tokens.dict")
    atheris.Setup(
        [sys.argv[0], f"-dict={dictionary}", "-max_len=4096", *options], TARGETS[target]
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
