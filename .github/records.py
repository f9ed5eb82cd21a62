"""What board.yml does with records of reproductions; standard output is data.

python -P .github/records.py pending          submissions whose code was never run
python -P .github/records.py accept FOLDER    take FOLDER/record-<method>/record.json
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.errors import BenchError, FileFormatError
from bench.results.reproduction_record import (
    ReproductionRecord,
    find_reproduction,
    read_reproduction,
    reproduction_path,
)
from bench.results.store import to_json, write_atomically
from bench.submissions.manifest import FOLDER, MANIFEST, read_manifest

ARTEFACT = "record-"
NEWEST = ("git", "log", "--first-parent", "--format=%H", "--max-count=1", "--")


def main() -> int:
    """Run a command; 0 if it did what it should, else 1 and one message."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("pending")
    commands.add_parser("accept").add_argument("folder", type=Path)
    arguments = parser.parse_args()
    root = Path()
    try:
        if arguments.command == "pending":
            print(json.dumps(list(pending(root))))
        else:
            accept(arguments.folder, root)
    except BenchError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def pending(root: Path) -> Iterator[dict[str, str]]:
    """Name the submissions with code and without a record of it, and their commits."""
    for path in sorted((root / FOLDER).glob(f"*/{MANIFEST}")):
        manifest = read_manifest(path.parent)
        name = manifest.method.name
        ran = find_reproduction(root, name, manifest.digest) is not None
        if manifest.code is not None and not ran:
            yield {"method": name, "commit": merged_by(name, root)}


def merged_by(name: str, root: Path) -> str:
    """Return the commit that brought the present state of a submission onto main.

    Not the newest commit: whoever runs this again gets the same circuits again.
    """
    done = subprocess.run(
        [*NEWEST, f"{FOLDER}/{name}"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    commit = done.stdout.strip()
    if done.returncode or not commit:
        raise BenchError(
            f"No commit of '{FOLDER}/{name}' was found: {done.stderr.strip()}. "
            "Run this in a full clone of the repository (fetch-depth: 0)."
        )
    return commit


def accept(folder: Path, root: Path) -> None:
    """Store the records that another machine handed over.

    Raises:
        FileFormatError: A record is not of the submission that it is named for, or of
            another state of it, or its circuits derive from another commit.
    """
    expected = {item["method"]: item["commit"] for item in pending(root)}
    for path in sorted(folder.glob(f"{ARTEFACT}*/record.json")):
        record = read_reproduction(path)
        _check(path, record, expected, root)
        write_atomically(reproduction_path(root, record.method), to_json(record))
        print(f"{record.method}: {record.verdict}")


def _check(
    path: Path, record: ReproductionRecord, expected: dict[str, str], root: Path
) -> None:
    name = path.parent.name.removeprefix(ARTEFACT)
    if record.method != name or name not in expected:
        raise FileFormatError(
            f"'{path}' is a record of '{record.method}'; expected one of '{name}', "
            f"which is {'' if name in expected else 'not '}waiting for it."
        )
    digest = read_manifest(root / FOLDER / name).digest
    if (record.digest, record.commit) != (digest, expected[name]):
        raise FileFormatError(
            f"'{path}' is a record of digest {record.digest} at commit "
            f"{record.commit}; expected {digest} at {expected[name]}. Run the "
            "workflow again."
        )


if __name__ == "__main__":
    raise SystemExit(main())
