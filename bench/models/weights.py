"""Read weights from a folder or the hub: safetensors alone, and never a partial fit."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from bench.errors import BenchError, FileFormatError, ModelUnavailableError
from bench.models.architectures.registry import KNOWN
from bench.models.files import check_files
from bench.models.hub import attempts
from bench.models.memory import SEVERAL, check_memory
from bench.tasks.spec import ModelSource

# forward-mode derivatives and attention patterns need eager attention
ATTENTION = "eager"

LOADED_FILES = ("config.json", "*.safetensors", "*.safetensors.index.json")
"""What is fetched of a hub model: never a pickle, never code."""

LARGE = 1_000_000_000
"""Weights from which on a reference takes hours on a CPU."""


def load_folder(folder: Path, *, device: str = "cpu") -> PreTrainedModel:
    """Load a transformers model from a folder, without checking digests.

    Args:
        folder: The folder, with safetensors.
        device: Where the model is going to be; its memory is checked first.

    Raises:
        FileFormatError: The weights cannot be read or do not fit the configuration.
        ModelUnavailableError: The device has too little memory.
    """
    try:
        return _loaded(folder, name=str(folder), device=device)
    except BenchError:
        raise
    except Exception as error:
        raise FileFormatError(
            f"The model in '{folder}' cannot be loaded: {reason_of(error)}"
        ) from None


def load_hub(source: ModelSource, *, device: str) -> PreTrainedModel:
    """Load a model of the hub, from the cache if it is there.

    Raises:
        ModelUnavailableError: It is neither cached nor can it be fetched, or the device
            has too little memory.
        FileFormatError: Its files cannot be read, or the weights do not fit the
            configuration.
    """
    name, revision = str(source.hub), str(source.revision)
    reason = ""
    for cached in attempts():
        try:
            # by its folder: a bare name could be that of a folder near by
            folder = snapshot_download(
                name,
                revision=revision,
                local_files_only=cached,
                allow_patterns=list(LOADED_FILES),
            )
            return _loaded(Path(folder), name=name, device=device)
        except BenchError:
            raise
        except OSError as error:
            reason = str(error).splitlines()[0]
        except Exception as error:
            raise FileFormatError(
                f"The hub model '{name}' cannot be loaded: {reason_of(error)}"
            ) from None
    raise ModelUnavailableError(_how_to_get(source, reason))


def _how_to_get(source: ModelSource, reason: str) -> str:
    """Say what is missing of a hub model, and every step towards it."""
    steps: list[str] = []
    if source.gated:
        steps.append(
            f"accept its licence at https://huggingface.co/{source.hub} and log in "
            "(hf auth login)"
        )
    size = ""
    if source.parameters is not None:
        billions = source.parameters / 1e9
        size = f", {billions:.2f} billion weights, {source.gigabytes:.0f} GB of memory"
    steps.append(f"hf download {source.hub} --revision {source.revision}")
    return (
        f"The hub model '{source.hub}' (revision {str(source.revision)[:12]}{size}) is "
        f"neither cached nor could it be fetched: {reason}\n"
        f"To get it: {'; then '.join(steps)}. Where there is no network, run this "
        f"elsewhere and copy the cache (HF_HOME).{_advice(source)}"
    )


def _advice(source: ModelSource) -> str:
    if source.parameters is None or source.parameters < LARGE:
        return ""
    return " It is slow on a CPU: use --device cuda where there is a GPU."


def read_config(name: str, **options: object) -> PreTrainedConfig:
    """Read a configuration; code that comes with a model never runs.

    Raises:
        OSError: There is none, or it cannot be fetched.
        ValueError: Its model type is not one of transformers' own, or a value is of the
            wrong type, or no model can have it.
    """
    try:
        return AutoConfig.from_pretrained(name, trust_remote_code=False, **options)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(reason_of(error)) from None


def reason_of(error: Exception) -> str:
    """Say in one line why something was not to be read.

    On a file that makes no sense transformers raises whatever its code runs into.
    """
    reason = " ".join(str(error).split())
    meant = (OSError, ValueError, SafetensorError, StrictDataclassError)
    return reason if isinstance(error, meant) else f"{type(error).__name__}: {reason}"


def _loaded(folder: Path, *, name: str, device: str) -> PreTrainedModel:
    check_files(folder, name=name)
    config = read_config(str(folder), local_files_only=True)
    if config.model_type in KNOWN:  # the sizes of others go by other names
        check_memory(config, name=name, device=device)
    with quiet():
        loaded = AutoModelForCausalLM.from_pretrained(
            str(folder),
            **placement(device),
            dtype=torch.float32,
            use_safetensors=True,  # never a pickle
            trust_remote_code=False,
            attn_implementation=ATTENTION,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
            local_files_only=True,
        )
    module, info = cast(tuple[PreTrainedModel, dict[str, set[str]]], loaded)
    wrong = {key: sorted(info[key]) for key in ("missing_keys", "unexpected_keys")}
    wrong["mismatched_keys"] = sorted(str(key) for key, *_ in info["mismatched_keys"])
    if any(wrong.values()):
        shown = "; ".join(f"{k}: {', '.join(v[:3])}" for k, v in wrong.items() if v)
        raise FileFormatError(
            f"The weights of '{name}' do not fit its configuration ({shown})."
        )
    return module


def placement(device: str) -> dict[str, object]:
    """Return the options by which weights go to several devices, and those alone."""
    return {"device_map": "auto"} if device == SEVERAL else {}


@contextmanager
def quiet() -> Generator[None, None, None]:
    """Keep transformers from drawing its own progress bar for a moment."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
