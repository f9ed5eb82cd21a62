"""A model's tokenizer, if it has one: a model of bare token ids has none."""

from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from bench.errors import FileFormatError, UserError
from bench.models.hub import attempts

FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
)
"""What tells that a model means to have a tokenizer."""


def load_tokenizer(
    name: str, *, revision: str | None, files: Path
) -> PreTrainedTokenizerBase | None:
    """Load a tokenizer; code that comes with it never runs.

    Args:
        name: A folder, or a hub id.
        revision: Commit of a hub model.
        files: Where the files lie, in the folder or in the hub's cache.

    Raises:
        UserError: It needs a package that is not installed.
        FileFormatError: There is one, and it cannot be read.
    """
    problem: Exception | None = None
    for cached in attempts():
        try:
            found = AutoTokenizer.from_pretrained(
                name,
                revision=revision,
                local_files_only=cached,
                trust_remote_code=False,
            )
        except Exception as error:  # parsers raise bare exceptions, too
            problem = error
            continue
        # without any file transformers makes one up, of special tokens alone
        if len(found) > len(found.all_special_ids):
            return found
    if problem is not None:
        _refuse(name, problem, files)
    return None


def _refuse(name: str, problem: Exception, files: Path) -> None:
    reason = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
    if isinstance(problem, ImportError):
        raise UserError(f"The tokenizer of '{name}' needs a package ({reason}).")
    present = [file for file in FILES if (files / file).is_file()]
    if present:
        raise FileFormatError(
            f"The tokenizer of '{name}' ({', '.join(present)}) cannot be read "
            f"({reason}). Mend it, or use a copy of the model without these files to "
            "work with token ids alone."
        )
