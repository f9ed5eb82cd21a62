"""Change every byte of a submission, and look at what is accepted all the same.

``python -m tests.submissions.tampering ROOT FOLDER`` prints how often for each file.
In a process of its own shapes are not checked at each call, which would take minutes.
"""

import json
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from bench.methods.catalogue import built_in
from bench.results.trusted import Trusted
from bench.submissions import attribution_checks, schema_checks, validation
from bench.submissions.problems import Problem
from bench.submissions.snapshot import Snapshot, take_snapshot
from bench.submissions.validation import Checked, check_snapshot

INSERTED = (b" ", b"0", b"9", b'"')


def changes(data: bytes) -> Iterator[bytes]:
    """Change every byte: turn a bit, another digit, left out, one put before it."""
    for place, byte in enumerate(data):
        before, after = data[:place], data[place + 1 :]
        others = {byte ^ (1 << bit) for bit in range(8)}
        if chr(byte).isdigit():
            others |= set(b"0123456789") - {byte}
        for other in sorted(others):
            yield before + bytes([other]) + after
        yield before + after
        for inserted in INSERTED:
            yield before + inserted + data[place:]


def shown(checked: Checked) -> tuple[object, ...]:
    """Return all that the board is made of, or that a reader is shown."""
    return (checked.manifest, checked.records, checked.scores, checked.withdrawal)


def work_once(originals: Collection[bytes]) -> None:
    """Parse and score what did not change once; the verdicts stay the same."""
    parse, score = validation.parse_checked, validation.score_record
    parsed: dict[tuple[str, bytes], tuple[Any, list[Problem]]] = {}
    scored: dict[tuple[int, int], Any] = {}

    def parse_once(name: str, data: bytes, model: Any, problems: list[Problem]) -> Any:
        key, new = (name, data), list[Problem]()
        if data not in originals:
            return parse(name, data, model, problems)
        if key not in parsed:
            parsed[key] = (parse(name, data, model, new), new)
        record, new = parsed[key]
        problems.extend(new)
        return record

    def score_once(record: Any, targets: Any) -> Any:
        key = (id(record), id(targets))
        if key not in scored:
            scored[key] = score(record, targets)
        return scored[key]

    validation.parse_checked = attribution_checks.parse_checked = parse_once
    validation.score_record = score_once
    # that there is a problem counts here, not its words
    schema_checks.LARGEST_FOR_SCHEMA = 0


def tamper(root: Path, folder: Path) -> dict[str, Counter[str]]:
    """Try every change of every file; return how many had which end."""
    trusted = Trusted(root, built_in=frozenset(built_in()))
    snapshot = take_snapshot(folder)
    sound = check_snapshot(folder, snapshot, trusted)
    if sound.problems:
        raise ValueError(f"a sound submission is needed: {sound.problems}")
    found: dict[str, Counter[str]] = {}
    for name, original in snapshot.files.items():
        found[name] = Counter(bytes=len(original))
        for data in changes(original):
            files = {**snapshot.files, name: data}
            checked = check_snapshot(folder, Snapshot(files, ()), trusted)
            if checked.problems:
                end = "refused"
            elif shown(checked) == shown(sound):
                end = "same"
            else:
                end = f"CHANGED: {data!r}"
            found[name][end] += 1
    return found


if __name__ == "__main__":
    work_once(set(take_snapshot(Path(sys.argv[2])).files.values()))
    found = tamper(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write(json.dumps(found))
