"""Run every architecture on two devices that do not exist, and notice what mixes them.

A backend written in Python stands for the devices, and fake tensors, which have no
values, refuse operations on tensors of different ones. It is registered for the whole
process, so that this is a program of its own: the test next door starts it.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from accelerate import dispatch_model
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import backend_registration
from transformers import AutoConfig

from bench.models.architectures.registry import KNOWN
from bench.models.behaviour import PromptBatch
from bench.models.edits import replace_state, replace_write
from bench.models.loading import initialised
from bench.models.rerun import rerun
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.perturbation.differences import difference_at
from bench.perturbation.response import Probing
from bench.perturbation.source_runs import Group, SourceRuns
from tests.contracts.random_models import SMALL

FIRST, SECOND = "privateuseone:0", "privateuseone:1"
ROWS, LENGTH, WIDTH, SOURCES = 2, 11, 16, 3
HOME = torch.device(FIRST)


def places(module: nn.Module, blocks: str) -> dict[str, str]:
    """Put the first block, and all but the last norm, on the first device."""
    base: Any = module.base_model
    base_name = str(module.base_model_prefix)
    inner = [f"{base_name}.{name}" for name, _ in base.named_children()]
    outer = [name for name, _ in module.named_children()]
    found = {name: FIRST for name in inner + outer if name != blocks}
    del found[base_name]
    found |= {name: SECOND for name in inner if "norm" in name or "ln_f" in name}
    return found | {f"{blocks}.{k}": FIRST if k == 0 else SECOND for k in range(3)}


def move(part: nn.Module, device: str) -> None:
    """Give a part weights on a device; fake ones cannot be moved."""
    for module in part.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                empty = torch.empty(weight.shape, device=device)
                module._parameters[name] = nn.Parameter(empty, requires_grad=False)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(
                    buffer.shape, dtype=buffer.dtype, device=device
                )


def subject_on_two(model_type: str) -> SubjectModel:
    """Make a model of three blocks, the last two on the second device."""
    architecture = KNOWN[model_type]
    module = initialised(AutoConfig.for_model(model_type, **SMALL), seed=0)
    wanted: Any = places(module, architecture.blocks)
    for name, device in wanted.items():
        move(module.get_submodule(name), device)
    dispatched: Any = dispatch_model(module, device_map=wanted, force_hooks=True)
    return SubjectModel(dispatched, architecture)


def check(*tensors: Tensor) -> None:
    """Results are where prompts are."""
    assert all(tensor.device == HOME for tensor in tensors)


def runs(model: SubjectModel) -> None:
    """Plain runs, edits and reruns; no backward pass is possible on such devices."""
    ids = torch.zeros(ROWS, LENGTH, dtype=torch.long, device=HOME)
    write = torch.zeros(ROWS, LENGTH, WIDTH, device=HOME)
    base = run(model, ids, keep_past=True)
    assert {key.device for key, _ in base.past.blocks} == {HOME, torch.device(SECOND)}
    check(base.points, base.logits, *base.writes)
    edited = run(model, ids, edits={1: replace_write(write), 4: replace_write(write)})
    check(edited.points, edited.logits)
    for section in range(model.n_sections):
        edit = replace_state(write, first=5)
        check(rerun(model, ids, {section: edit}, base=base))
    sites = torch.zeros(ROWS, 2, dtype=torch.long, device=HOME)
    batch = PromptBatch(ids, ids, ids, sites, sites)
    check(model.centred_logits(base.normed[:, :2], batch.targets))


def responses(model: SubjectModel) -> None:
    """The reference engine, with and without an ablation, finite and exact."""
    ids = torch.zeros(ROWS, LENGTH, dtype=torch.long, device=HOME)
    positions = torch.zeros(ROWS, SOURCES, dtype=torch.long, device=HOME)
    tangents = torch.zeros(ROWS, SOURCES, WIDTH, device=HOME)
    group = Group(slice(0, SOURCES), SOURCES, 3)
    for strength in (0.05, None):
        difference = difference_at(strength)
        probing = Probing(ids, model.embed(ids), positions, tangents)
        found = SourceRuns(model, probing, SOURCES)
        check(found.respond(group, difference).change)
        for section in (0, 3, 5):
            write = torch.zeros_like(found.clean.points[0])
            ablation = found.ablate(section, write, last_start=3)
            (response,) = found.respond_under(
                [ablation], group, difference, sites_from=4
            )
            check(response.change)


def with_empty_tensors(plain: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let an empty list be a tensor of a device that has no memory."""

    def tensor(data: Any, *args: Any, **options: Any) -> Tensor:
        if data == []:
            return torch.empty(0, *args, **options)
        return plain(data, *args, **options)

    return tensor


def main(model_types: list[str]) -> None:
    """Go through the architectures."""
    backend_registration._setup_privateuseone_for_python_backend()
    torch.tensor = with_empty_tensors(torch.tensor)
    for model_type in model_types:
        with FakeTensorMode(allow_non_fake_inputs=True):
            model = subject_on_two(model_type)
            runs(model)
            responses(model)
        sys.stderr.write(f"checked {model_type}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
