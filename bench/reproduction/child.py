"""The process that runs a submission's code: it knows the circuits and nothing else.

It is started as ``python -I -m bench.reproduction.child WORKSPACE``, lowers its own
limits, and only then loads the method. What it writes is not believed.
"""

import json
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from safetensors.torch import load_file

from bench.errors import BenchError
from bench.evaluation.answers import run_method
from bench.methods.context import TaskContext
from bench.methods.discovery import FoundMethod, find_method
from bench.models.architectures.registry import find_architecture
from bench.models.behaviour import PromptBatch
from bench.models.subject import SubjectModel
from bench.models.weights import load_folder
from bench.reproduction.request import (
    ANSWERS,
    CIRCUITS,
    LONGEST_ERROR,
    PACKAGE_FOLDER,
    PROMPTS,
    REQUEST,
    SEED,
    STARTED,
    Limits,
    Request,
    answer_name,
    circuit_name,
)

OPEN_FILES = 256


def main(arguments: Sequence[str]) -> int:
    """Run the method on every circuit of a workspace; one answer file each."""
    workspace = Path(arguments[0])
    request = Request.parse((workspace / REQUEST).read_bytes(), file=REQUEST)
    (workspace / ANSWERS / STARTED).touch()
    _limit(request.limits)
    try:
        found = _load(workspace, request.method)
    except BenchError as error:
        for index in range(request.circuits):
            _write(workspace, index, {"error": _short(error)})
        return 0
    for index in range(request.circuits):
        _write(workspace, index, _answer(found, workspace, index))
    return 0


def _limit(limits: Limits) -> None:
    """Lower what this process and its children may use, for good."""
    wanted = {
        resource.RLIMIT_AS: int(limits.memory_gb * 2**30),
        resource.RLIMIT_FSIZE: limits.file_mb * 2**20,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        # several threads may compute at once
        resource.RLIMIT_CPU: int(limits.timeout_s * max(torch.get_num_threads(), 1))
        + 1,
    }
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        lower = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # macOS has no address space to limit
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (lower, lower))


def _load(workspace: Path, method: str) -> FoundMethod:
    sys.path.insert(0, str(workspace / PACKAGE_FOLDER))
    place, _, attribute = method.partition(":")
    if place.endswith(".py"):
        name = f"{workspace / place}"
        return find_method(f"{name}:{attribute}" if attribute else name)
    return find_method(method)


def _answer(found: FoundMethod, workspace: Path, index: int) -> dict[str, object]:
    folder = workspace / CIRCUITS / circuit_name(index)
    try:
        answer, _ = run_method(found, _context(folder))
    except BenchError as error:
        return {"error": _short(error)}
    document: dict[str, object] = {"values": answer.values.tolist()}
    if answer.per_prompt is not None:
        document["per_prompt"] = answer.per_prompt.tolist()
    return document


def _context(folder: Path) -> TaskContext:
    """Open a circuit: what a method is given anywhere else, without a name."""
    module = load_folder(folder)
    module.eval().requires_grad_(False)
    subject = SubjectModel(module, find_architecture(module.config.model_type))
    seed = int((folder / SEED).read_text())
    return TaskContext(
        subject=subject,
        prompts=PromptBatch(**load_file(folder / PROMPTS)),
        generator=torch.Generator().manual_seed(seed),
    )


def _write(workspace: Path, index: int, document: dict[str, object]) -> None:
    """Write an answer so that the parent never counts half of one."""
    path = workspace / ANSWERS / answer_name(index)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document))
    partial.replace(path)


def _short(error: Exception) -> str:
    return str(error)[:LONGEST_ERROR]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
