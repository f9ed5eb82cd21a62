"""What a maintainer does to correct a reference, on a synthetic repository."""

from pathlib import Path

from bench.tasks.registry import find_task
from tests.conftest import EARLY, synthetic_arrays, write_reference

EARLIER = """
[[earlier]]
version = {version}
digest = "{digest}"
"""


def correct_reference(root: Path, *, lists_earlier: bool = True) -> None:
    """Give the first task a new version whose reference differs, and say so.

    Args:
        root: The repository.
        lists_earlier: Whether it says that answers to the last version stay valid.
    """
    before = find_task(EARLY, root=root)
    text = before.file.read_text()
    version = before.spec.version
    text = text.replace(f"\nversion = {version}\n", f"\nversion = {version + 1}\n", 1)
    if lists_earlier:
        text += EARLIER.format(version=version, digest=before.digest)
    before.file.write_text(text)
    arrays = synthetic_arrays(EARLY)
    arrays["gain"] = arrays["gain"][:, ::-1] * 0.5 + arrays["gain"] * 0.5
    write_reference(root, find_task(EARLY, root=root), arrays)
