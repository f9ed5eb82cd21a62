"""Digests: how a file or a record is known to be the one that was meant."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from bench.errors import DigestError, FileFormatError


def sha256_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises:
        FileFormatError: There is no such file or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FileFormatError(f"'{path}' cannot be read: {error.strerror}.") from None


def sha256_of_record(record: object) -> str:
    """Return the SHA-256 of a record's canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256_of_bytes(text.encode())


def sha256_of_python(root: Path, *folders: Path) -> str:
    """Return one SHA-256 over all Python files below folders, and their names.

    Args:
        root: Folder that names are relative to.
        folders: Where to look; ``root`` itself by default.
    """
    files = sorted(path for f in folders or (root,) for path in f.rglob("*.py"))
    return sha256_of_record(
        {str(path.relative_to(root)): sha256_of_file(path) for path in files}
    )


def verify_files(folder: Path, digests: Mapping[str, str], *, next_step: str) -> None:
    """Check every file of a folder that has a recorded digest.

    Args:
        folder: Where the files are.
        digests: File name to its recorded SHA-256.
        next_step: What the user can do about a difference.

    Raises:
        DigestError: Files are missing or altered; the message lists all of them.
    """
    problems: list[str] = []
    for name, expected in sorted(digests.items()):
        path = folder / name
        if not path.is_file():
            problems.append(f"  '{path}' is missing.")
            continue
        found = sha256_of_file(path)
        if found != expected:
            problems.append(
                f"  '{path}' was altered: its SHA-256 is {found[:12]}..., "
                f"recorded is {expected[:12]}..."
            )
    if problems:
        raise DigestError(
            "Files differ from what the task records:\n"
            + "\n".join(problems)
            + f"\n{next_step}"
        )
