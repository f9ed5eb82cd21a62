"""Load subject models, from the repository, a folder or the hub."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging as transformers_logging

from bench.errors import FileFormatError, UserError
from bench.models.architectures.registry import find_architecture
from bench.models.subject import SubjectModel
from bench.tasks.spec import Task

# forward-mode derivatives and attention patterns need eager attention
ATTENTION = "eager"


def load_model(task: Task, *, device: str) -> SubjectModel:
    """Load the model of a task, after checking its files' digests.

    Raises:
        DigestError: The model's files are missing or altered.
        FileFormatError: The weights do not fit the configuration, or the model is not
            what the task file says.
        UserError: The architecture or the device is unknown, or a hub model cannot be
            had.
    """
    check_device(device)
    task.verify_model()
    source = task.spec.model
    architecture = find_architecture(source.architecture)
    folder = task.local_model_folder
    if folder is None:
        module = _from_hub(str(source.hub), revision=str(source.revision))
    else:
        module = load_folder(folder)
    found = module.config.model_type
    if found != architecture.model_type:
        raise FileFormatError(
            f"The model of '{task.id}' is of type '{found}'; its task file says "
            f"'{architecture.model_type}'. Correct [model] architecture."
        )
    model = SubjectModel(_prepared(module, device), architecture)
    if len(model.blocks) != source.blocks:
        raise FileFormatError(
            f"The model of '{task.id}' has {len(model.blocks)} blocks; its task file "
            f"says {source.blocks}. Correct [model] blocks."
        )
    return model


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises:
        UserError: torch does not know the device or cannot use it.
    """
    try:
        torch.zeros(1, device=device).item()  # the meta device holds no numbers
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(
            f"The device '{device}' cannot be used: {reason}. Try --device cpu."
        ) from None


def load_folder(folder: Path) -> PreTrainedModel:
    """Load a transformers model from a folder, without checking digests.

    Raises:
        FileFormatError: The weights cannot be read or do not fit the configuration.
    """
    try:
        return _loaded(str(folder), local_files_only=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise FileFormatError(
            f"The model in '{folder}' cannot be loaded: {error}"
        ) from None


def _from_hub(name: str, *, revision: str) -> PreTrainedModel:
    for cached in (True, False):  # without a network, asking the hub takes 20 s to fail
        try:
            return _loaded(name, revision=revision, local_files_only=cached)
        except OSError as error:
            reason = str(error).splitlines()[0]
    raise UserError(
        f"The hub model '{name}' at revision {revision[:12]} is neither cached nor "
        f"could it be fetched: {reason}"
    )


def _loaded(name: str, **options: object) -> PreTrainedModel:
    """Load weights from safetensors alone, and refuse a partial fit."""
    with _quiet():
        loaded = AutoModelForCausalLM.from_pretrained(
            name,
            dtype=torch.float32,
            use_safetensors=True,  # never a pickle
            attn_implementation=ATTENTION,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
            **options,
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


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Keep transformers from drawing its own progress bar for a moment."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _prepared(module: PreTrainedModel, device: str) -> PreTrainedModel:
    module.eval()
    module.requires_grad_(False)
    return module.to(torch.device(device))  # pyright: ignore[reportArgumentType]


def untrained_like(model: SubjectModel, *, seed: int) -> SubjectModel:
    """Build a freshly initialised model of the same shape: a null to compare with."""
    config = AutoConfig.for_model(**model.module.config.to_dict())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = AutoModelForCausalLM.from_config(
            config, attn_implementation=ATTENTION, dtype=model.dtype
        )
    prepared = _prepared(module, str(model.device))
    return SubjectModel(prepared, model.architecture)
