"""Check that a file is the one that the manifest lists."""

from collections.abc import Iterator

from bench.submissions.manifest import CodeFile, FileEntry
from bench.submissions.problems import Problem
from bench.tasks.digest import sha256_of_bytes

AGAIN = "Pack the submission again: bench submit METHOD"
"""What to do about a folder that is not as it was packed."""


def content_problems(
    name: str, data: bytes, listed: CodeFile | FileEntry
) -> Iterator[Problem]:
    """Report a content that differs from its entry in the manifest."""
    digest = sha256_of_bytes(data)
    if (len(data), digest) != (listed.bytes, listed.sha256):
        expected = f"{listed.bytes} bytes, SHA-256 {listed.sha256[:12]}..."
        found = f"{len(data)} bytes, SHA-256 {digest[:12]}..."
        yield Problem("S023", name, "", expected, found, AGAIN)
