"""Load the subject model of a task, wherever it comes from."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
)

from bench.errors import FileFormatError, MissingExtraError, UserError
from bench.models.activations import fuse_activations
from bench.models.architectures.registry import find_architecture
from bench.models.batching import fitting
from bench.models.memory import SEVERAL
from bench.models.planted.build import build_planted
from bench.models.subject import SubjectModel
from bench.models.weights import ATTENTION, load_folder, load_hub
from bench.tasks.spec import Task


def load_model(task: Task, *, device: str) -> SubjectModel:
    """Load the model of a task, after checking its files' digests.

    Raises:
        DigestError: The model's files are missing or altered.
        FileFormatError: The weights do not fit the configuration, or the model is not
            what the task file says.
        ModelUnavailableError: A hub model cannot be had.
        OutOfMemoryError: The device has too little memory for it.
        UserError: The architecture or the device is unknown.
    """
    check_device(device)
    task.verify_model()
    source = task.spec.model
    architecture = find_architecture(source.architecture)
    with fitting(f"The model of '{task.id}'"):
        module = _prepared(_load_module(task, device), device)
    found = module.config.model_type
    if found != architecture.model_type:
        raise FileFormatError(
            f"The model of '{task.id}' is of type '{found}'; its task file says "
            f"'{architecture.model_type}'. Correct [model] architecture."
        )
    model = SubjectModel(module, architecture)
    if len(model.blocks) != source.blocks:
        raise FileFormatError(
            f"The model of '{task.id}' has {len(model.blocks)} blocks; its task file "
            f"says {source.blocks}. Correct [model] blocks."
        )
    return model


def _load_module(task: Task, device: str) -> PreTrainedModel:
    source = task.spec.model
    if source.planted is not None:
        return build_planted(
            source.planted, architecture=source.architecture, blocks=source.blocks
        ).module
    folder = task.local_model_folder
    if folder is not None:
        return load_folder(folder, device=device)
    return load_hub(source, device=device)


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises:
        UserError: torch does not know the device or cannot use it.
        MissingExtraError: What several devices need is not installed.
    """
    if device == SEVERAL:
        if find_spec("accelerate") is None:
            raise MissingExtraError("accelerate", extra="large")
        return
    try:
        torch.zeros(1, device=device).item()  # the meta device holds no numbers
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(
            f"The device '{device}' cannot be used: {reason}. Try --device cpu."
        ) from None


def _prepared(module: PreTrainedModel, device: str) -> PreTrainedModel:
    module.eval()
    module.requires_grad_(False)
    fuse_activations(module)
    if device == SEVERAL:
        return module  # weights are where they were loaded to
    return module.to(torch.device(device))  # pyright: ignore[reportArgumentType]


def untrained_like(model: SubjectModel, *, seed: int) -> SubjectModel:
    """Build a freshly initialised model of the same shape: a null to compare with.

    Raises:
        OutOfMemoryError: There is too little memory for a second one.
    """
    with fitting("An untrained model beside the task's"):
        return SubjectModel(_untrained(model, seed), model.architecture)


def _untrained(model: SubjectModel, seed: int) -> PreTrainedModel:
    config = AutoConfig.for_model(**model.module.config.to_dict())
    module = initialised(config, seed=seed, dtype=model.dtype)
    if on_several_devices(model):
        accelerate: Any = import_module("accelerate")
        # where there is room now: the first model has taken its part
        places = accelerate.infer_auto_device_map(
            module, no_split_module_classes=[type(model.blocks[0]).__name__]
        )
        return accelerate.dispatch_model(module, device_map=places)
    return _prepared(module, str(model.device))


def initialised(
    config: PreTrainedConfig, *, seed: int, dtype: torch.dtype = torch.float32
) -> PreTrainedModel:
    """Build a model of a configuration with weights drawn by its own rules."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = AutoModelForCausalLM.from_config(
            config, attn_implementation=ATTENTION, dtype=dtype
        )
    return module.eval().requires_grad_(False)


def on_several_devices(model: SubjectModel) -> bool:
    """Whether a model's parts are on several devices, or fetched when needed."""
    places: dict[str, Any] = getattr(model.module, "hf_device_map", {})
    return len(set(places.values())) > 1
