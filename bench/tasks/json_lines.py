"""Read JSON lines with ``datasets``."""

import glob
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from bench.errors import FileFormatError, MissingExtraError


def read_rows(path: Path) -> list[dict[str, object]]:
    """Read the rows of a file of JSON lines.

    Nothing is cached: the rows are small, and a cache would outlive the file.

    Raises:
        FileFormatError: The file is missing, empty or malformed.
        MissingExtraError: ``datasets`` is not installed.
    """
    datasets = _import_datasets()
    _check_content(path)
    pattern = glob.escape(str(path))  # datasets takes a path for a pattern
    failures = (datasets.exceptions.DatasetGenerationError, OSError)
    with tempfile.TemporaryDirectory() as cache, _quiet(datasets):
        try:
            loaded = datasets.Dataset.from_json(
                pattern, cache_dir=cache, keep_in_memory=True
            )
        except failures as error:
            cause = error.__cause__ or error
            raise FileFormatError(f"'{path}' cannot be read: {cause}") from None
        return cast(list[dict[str, object]], loaded.to_list())


def _import_datasets() -> Any:
    """Import ``datasets``, which ships no types and takes half a second."""
    try:
        import datasets  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise MissingExtraError("datasets", extra="run") from None
    return cast(Any, datasets)


def _check_content(path: Path) -> None:
    """Refuse a missing or empty file, for which datasets has no clear error."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"'{path}' cannot be read: {error.strerror}.") from None
    if not data.strip():
        raise FileFormatError(f"'{path}' is empty; expected one prompt a line.")


@contextmanager
def _quiet(datasets: Any) -> Generator[None, None, None]:
    """Keep datasets from drawing its own progress bar for a moment."""
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
