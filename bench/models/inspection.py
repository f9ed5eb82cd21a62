"""What a model says about itself before its weights are read."""

import os
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HFValidationError
from transformers import PreTrainedConfig, PreTrainedTokenizerBase
from transformers.utils import CONFIG_NAME

from bench.errors import FileFormatError, ModelUnavailableError, UserError
from bench.models.architectures.registry import find_architecture
from bench.models.files import check_files
from bench.models.hub import attempts
from bench.models.memory import count_parameters
from bench.models.tokenizer import load_tokenizer
from bench.models.weights import read_config, reason_of
from bench.tasks.drawing import MOST_TOKENS
from bench.tasks.spec import MOST_BLOCKS

BLOCKS = range(1, MOST_BLOCKS + 1)
TOKENS = range(2, MOST_TOKENS + 1)
"""One token to begin with and one to predict; more than any model has."""


@dataclass(frozen=True)
class Inspected:
    """A model's configuration and, where it has one, its tokenizer."""

    name: str
    config: PreTrainedConfig
    tokenizer: PreTrainedTokenizerBase | None
    revision: str | None = None
    """Commit of a hub model."""

    @property
    def architecture(self) -> str:
        """The model type."""
        return self.config.model_type

    @property
    def blocks(self) -> int:
        """Number of transformer blocks."""
        return self.config.num_hidden_layers

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return count_parameters(self.config)

    @property
    def bos(self) -> int | None:
        """The token that begins a text, if the model names one."""
        named = None if self.tokenizer is None else self.tokenizer.bos_token_id
        return named if isinstance(named, int) else self.config.bos_token_id

    @cached_property
    def ordinary(self) -> tuple[int, int]:
        """First and last id of the longest range without special tokens."""
        size, last = self.config.vocab_size, self.config.eos_token_id
        special = {self.bos, *(last if isinstance(last, list) else [last])}
        if self.tokenizer is not None:
            size = min(size, len(self.tokenizer))
            special |= set(self.tokenizer.all_special_ids)
            special |= set(self.tokenizer.added_tokens_decoder)
        inside = {i for i in special if isinstance(i, int) and 0 <= i < size}
        borders = sorted({-1, size, *inside})
        low, high = max(pairwise(borders), key=lambda pair: pair[1] - pair[0])
        return low + 1, high - 1

    def tokenize(self, text: str) -> list[int]:
        """Turn text into token ids, without special tokens.

        Raises:
            UserError: The model has no tokenizer.
        """
        if self.tokenizer is None:
            raise UserError(
                f"'{self.name}' has no tokenizer, so text prompts cannot be made for "
                "it. Put its tokenizer files beside config.json, or bring prompts of "
                "token ids (--prompts)."
            )
        return self.tokenizer.encode(text, add_special_tokens=False)


def inspect_model(name: str, *, revision: str | None = None) -> Inspected:
    """Read a model's configuration and tokenizer, from a folder or the hub.

    Args:
        name: A folder, or a hub id.
        revision: Branch or commit of a hub model.

    Raises:
        ModelUnavailableError: The hub model is neither cached nor can it be fetched.
        FileFormatError: The configuration or the tokenizer makes no sense.
        UserError: The architecture is not known, the tokenizer needs a package that is
            not installed, or a folder was asked for a revision.
    """
    if os.path.isdir(name):  # noqa: PTH112  (Path raises where a name is too long)
        if revision is not None:
            raise UserError(
                f"'{name}' is a folder, which has no revision '{revision}'. Leave out "
                "--revision, or name a hub model."
            )
        config, place, commit = _folder_config(name), Path(name), None
    else:
        config, place = _hub_config(name, revision)
        commit = place.name  # .../snapshots/<commit>
    check_files(place, name=name)
    find_architecture(config.model_type)
    _check_sizes(name, config)
    tokenizer = load_tokenizer(name, revision=commit, files=place)
    return Inspected(name, config, tokenizer, commit)


def _check_sizes(name: str, config: PreTrainedConfig) -> None:
    """Refuse a configuration that no model can be built from."""
    blocks, tokens = config.num_hidden_layers, config.vocab_size
    if blocks not in BLOCKS or tokens not in TOKENS:
        raise FileFormatError(
            f"The configuration of '{name}' names {blocks} blocks and {tokens} tokens; "
            f"a model has {BLOCKS.start} to {BLOCKS.stop - 1} blocks and "
            f"{TOKENS.start} to {TOKENS.stop - 1} tokens."
        )
    try:
        count_parameters(config)
    except Exception as error:
        raise FileFormatError(
            f"No model can be built from the configuration of '{name}': "
            f"{reason_of(error)}"
        ) from None


def _folder_config(name: str) -> PreTrainedConfig:
    try:
        return read_config(name, local_files_only=True)
    except (OSError, ValueError) as error:
        raise FileFormatError(
            f"The configuration in '{name}' cannot be read: {error}"
        ) from None


def _hub_config(name: str, revision: str | None) -> tuple[PreTrainedConfig, Path]:
    """Read a hub model's configuration; returns its files' folder in the cache, too."""
    reason = ""
    for cached in attempts():
        try:
            file = hf_hub_download(
                name, CONFIG_NAME, revision=revision, local_files_only=cached
            )
            place = Path(file).parent
            options = {"revision": place.name, "local_files_only": cached}
            return read_config(name, **options), place
        except (OSError, HFValidationError) as error:
            reason = str(error).splitlines()[0]
        except ValueError as error:
            raise FileFormatError(
                f"The configuration of '{name}' cannot be read: {error}"
            ) from None
    raise ModelUnavailableError(
        f"'{name}' is no folder, and as a hub model it is neither cached nor could it "
        f"be fetched: {reason}"
    )
