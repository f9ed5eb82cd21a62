"""What the child is given: models and prompts without names, in shuffled order."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from safetensors.torch import save_file
from transformers import PreTrainedModel
from transformers.utils import CONFIG_NAME, GENERATION_CONFIG_NAME

from bench.models.behaviour import PromptBatch
from bench.models.weights import quiet
from bench.reproduction.request import (
    ANSWERS,
    CIRCUITS,
    PROMPTS,
    REQUEST,
    SEED,
    Limits,
    Request,
    circuit_name,
)

TELLING = ("_name_or_path", "transformers_version", "dtype", "torch_dtype")
"""Keys of a configuration that speak of where a model comes from."""


@dataclass(frozen=True)
class Given:
    """What the child gets to see of a circuit."""

    model: PreTrainedModel
    prompts: PromptBatch
    seed: int
    """Of the method's generator, not of the circuit."""


def shuffled(count: int, *, key: str) -> list[int]:
    """Return an order that says nothing of what is public and what is fresh."""
    order = list(range(count))
    random.Random(key).shuffle(order)  # noqa: S311  (nothing depends on secrecy)
    return order


def write_workspace(
    folder: Path,
    given: Sequence[Callable[[], Given]],
    *,
    method: str,
    limits: Limits,
    report: Callable[[int, int], None],
) -> None:
    """Write a request and its circuits, one at a time.

    Args:
        folder: Where to; the method's own files are put there by the caller.
        given: Makes each circuit, in the order in which the child sees them.
        method: What the child looks for.
        limits: What it may use.
        report: Called with (done, total).
    """
    (folder / ANSWERS).mkdir(parents=True)
    for index, make in enumerate(given):
        _write_circuit(folder / CIRCUITS / circuit_name(index), make())
        report(index + 1, len(given))
    request = Request(method=method, circuits=len(given), limits=limits)
    (folder / REQUEST).write_text(request.model_dump_json())


def _write_circuit(folder: Path, given: Given) -> None:
    folder.mkdir(parents=True)
    with quiet():
        given.model.save_pretrained(folder)
    (folder / GENERATION_CONFIG_NAME).unlink(missing_ok=True)
    _strip(folder / CONFIG_NAME)
    batch = given.prompts
    tensors = {f.name: getattr(batch, f.name).contiguous() for f in fields(batch)}
    save_file(tensors, folder / PROMPTS)
    (folder / SEED).write_text(str(given.seed))


def _strip(config: Path) -> None:
    """Leave nothing in a configuration but what a model needs."""
    found = json.loads(config.read_text())
    kept = {key: value for key, value in found.items() if key not in TELLING}
    config.write_text(json.dumps(kept, indent=1, sort_keys=True))
