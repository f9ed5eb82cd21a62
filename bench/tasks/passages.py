"""Read passages of text with ``datasets``: lines, or the column ``text`` of a table."""

import glob
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import FileFormatError, MissingExtraError

COLUMN = "text"
BUILDERS = {".jsonl": "json", ".csv": "csv", ".parquet": "parquet"}
"""Endings of tables, and what datasets reads them with; any other file is lines."""


def read_passages(path: Path) -> list[str]:
    """Read the passages of a file, blank ones left out.

    Nothing is cached: a cache would outlive the file.

    Raises:
        FileFormatError: The file is missing or malformed, or is a table without a
            column of texts.
        MissingExtraError: ``datasets`` is not installed.
    """
    if not path.is_file():
        raise FileFormatError(f"'{path}' cannot be read: there is no such file.")
    table = _load(path)
    if COLUMN not in table.column_names:
        raise FileFormatError(
            f"'{path}' has no column '{COLUMN}'; found {', '.join(table.column_names)}."
        )
    passages: list[object] = table[COLUMN]
    wrong = [n for n, text in enumerate(passages, 1) if not isinstance(text, str)]
    if wrong:
        raise FileFormatError(f"'{path}': row {wrong[0]} has no text in '{COLUMN}'.")
    return [str(text) for text in passages if str(text).strip()]


def _load(path: Path) -> Any:
    datasets = _import_datasets()
    builder = BUILDERS.get(path.suffix, "text")
    options = {"encoding": "utf-8-sig"} if builder == "text" else {}
    with tempfile.TemporaryDirectory() as cache, _quiet(datasets):
        try:
            return datasets.load_dataset(
                builder,
                data_files=glob.escape(str(path)),  # datasets takes it for a pattern
                split="train",
                cache_dir=cache,
                keep_in_memory=True,
                **options,
            )
        except Exception as error:  # every builder has its own
            cause = error.__cause__ or error
            reason = " ".join(str(cause).split())
            raise FileFormatError(f"'{path}' cannot be read: {reason}") from None


def _import_datasets() -> Any:
    """Import ``datasets``, which ships no types and takes half a second."""
    try:
        import datasets  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise MissingExtraError("datasets", extra="run") from None
    return datasets


@contextmanager
def _quiet(datasets: Any) -> Generator[None, None, None]:
    """Keep datasets from drawing bars and logging what is said once more below."""
    shown = not datasets.are_progress_bars_disabled()
    verbosity = datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    finally:
        datasets.logging.set_verbosity(verbosity)
        if shown:
            datasets.enable_progress_bars()
