"""Small random models as TransformerLens runs them, and what its hooks see.

The expected values of the tests come from here: from bridges built on copies of the raw
weights, from their hooks, and from loops over prompts and copy sites. Nothing of what
``bench`` reads or differentiates is used.

In the bridge ``hook_resid_mid`` is another name of ``ln2.hook_in``, what the MLP's norm
reads. To change the state between attention and MLP, for the MLP and for all that comes
after it, the attention's write is changed instead.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from bench.methods.context import TaskContext
from bench.methods.protocol import Method
from bench.models.architectures.registry import KNOWN
from bench.models.behaviour import PromptBatch
from bench.models.subject import SubjectModel

ARCHITECTURES = ("gemma2", "gpt2", "llama")
TOLERANCE = 1e-4
NOTICED = 0.05
"""How far apart a wrong answer has to be, at every section."""

WIDTH = 16
BLOCKS = 3
SECTIONS = range(2 * BLOCKS)

Hook = tuple[str, Callable[..., Tensor | None]]
"""Name of a hook point, and what to do there."""

COMMON = {
    "vocab_size": 40,
    "hidden_size": WIDTH,
    "num_hidden_layers": BLOCKS,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
    "pad_token_id": None,
}

GROUPED = {
    "intermediate_size": 32,
    "num_key_value_heads": 2,
    "head_dim": 8,  # so that the heads' outputs are wider than the residual
    "query_pre_attn_scalar": 8,
    "sliding_window": 12,  # shorter than the prompts, so that a window is one
    "final_logit_softcapping": 3.0,  # both low enough to bend something
    "attn_logit_softcapping": 3.0,
}
"""What GPT-2 has no use for, and the bridge would take for its own."""


def random_subject(name: str) -> SubjectModel:
    """Build a model with weights so large that no test compares zeros with zeros."""
    options = COMMON if name == "gpt2" else COMMON | GROUPED
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(name, **options),
            attn_implementation="eager",
            dtype=torch.float32,
        )
        for parameter in module.parameters():
            if parameter.dim() == 1:  # norms and biases
                parameter.data += 0.2 * torch.randn_like(parameter)
            else:
                torch.nn.init.normal_(parameter, std=WIDTH**-0.5)
    module.eval()
    module.requires_grad_(False)
    return SubjectModel(module, KNOWN[name])


def build_bridge(subject: SubjectModel) -> Any:
    """Give TransformerLens a copy of the model, which can be differentiated."""
    pytest.importorskip("transformer_lens")
    from transformer_lens.model_bridge.sources._bridge_builder import (
        build_bridge_from_module,
    )

    module = deepcopy(subject.module).requires_grad_(True)
    return build_bridge_from_module(
        module, type(module).__name__, hf_config=module.config
    )


@dataclass(frozen=True)
class Lens:
    """A model as TransformerLens sees it, and the same for our methods."""

    bridge: Any = field(repr=False)
    ctx: TaskContext = field(repr=False)

    @property
    def architecture(self) -> str:
        """The name of the architecture."""
        return self.ctx.subject.architecture.model_type

    @property
    def prompts(self) -> PromptBatch:
        """The prompts of all runs."""
        return self.ctx.prompts

    @cached_property
    def clean(self) -> "Run":
        """The clean run."""
        return Run(self, self.prompts.clean)

    @cached_property
    def corrupt(self) -> "Run":
        """The corrupt run."""
        return Run(self, self.prompts.corrupt)

    @property
    def gap(self) -> float:
        """The mean difference of the behaviour between the two."""
        return float((self.clean.behaviour - self.corrupt.behaviour).mean())

    def behaviour(self, logits: Tensor) -> Tensor:
        """Measure the behaviour, site by site."""
        found: list[Tensor] = []
        for number, ids in enumerate(self.prompts.clean):
            pairs = zip(
                self.prompts.sites[number].tolist(),
                self.prompts.sources[number].tolist(),
                strict=True,
            )
            at_sites = [(logits[number, site], ids[source]) for site, source in pairs]
            values = [logit[target] - logit.mean() for logit, target in at_sites]
            found.append(torch.stack(values).mean())
        return torch.stack(found)

    def edited(self, ids: Tensor, hooks: Sequence[Hook]) -> Tensor:
        """Measure the behaviour while hooks change the run."""
        with torch.no_grad():
            return self.behaviour(self.bridge.run_with_hooks(ids, fwd_hooks=[*hooks]))

    def found(self, method: Method) -> np.ndarray:
        """Return our method's answer, prompt by prompt."""
        per_prompt = method(self.ctx).per_prompt
        assert per_prompt is not None
        return per_prompt


@dataclass(frozen=True)
class Run:
    """One run of the bridge."""

    lens: Lens
    ids: Tensor

    @cached_property
    def _both(self) -> tuple[Tensor, Mapping[str, Tensor]]:
        with torch.no_grad():
            return self.lens.bridge.run_with_cache(self.ids)

    @property
    def cache(self) -> Mapping[str, Tensor]:
        """What passed every hook point."""
        return self._both[1]

    @property
    def behaviour(self) -> np.ndarray:
        """The behaviour on each prompt, a column."""
        return columns([self.lens.behaviour(self._both[0])])

    @property
    def embeddings(self) -> Tensor:
        """What enters block 0."""
        return self.cache["blocks.0.hook_resid_pre"]

    @property
    def writes(self) -> list[Tensor]:
        """What each section adds to the residual stream."""
        return [self.cache[write_point(section)] for section in SECTIONS]

    @property
    def states(self) -> list[Tensor]:
        """The residual after each section."""
        return [self.cache[state_point(section)] for section in SECTIONS]

    def gradients(self, names: Sequence[str]) -> list[Tensor]:
        """Differentiate the behaviour with respect to what passes hook points."""
        seen: dict[str, Tensor] = {}

        def keep(gradient: Tensor, *, name: str, **_: object) -> None:
            seen[name] = gradient.clone()

        hooks = [(name, partial(keep, name=name)) for name in names]
        with self.lens.bridge.hooks(bwd_hooks=hooks):
            self.lens.behaviour(self.lens.bridge(self.ids)).sum().backward()
        self.lens.bridge.zero_grad()
        return [seen[name] for name in names]


def make_lens(
    request: pytest.FixtureRequest,
    make_context: Callable[[SubjectModel], TaskContext],
) -> Lens:
    """Build the model of an architecture for both sides; the body of a fixture."""
    subject = random_subject(request.param)
    return Lens(build_bridge(subject), make_context(subject))


def write_point(section: int) -> str:
    """Name the hook point of a section's write."""
    return f"blocks.{section // 2}.hook_{('attn', 'mlp')[section % 2]}_out"


def state_point(section: int) -> str:
    """Name the hook point of the state after a section, to be read."""
    return f"blocks.{section // 2}.hook_resid_{('mid', 'post')[section % 2]}"


def read_point(reader: int) -> str:
    """Name the hook point of what a section's norm, or the last one, reads."""
    if reader == len(SECTIONS):
        return "ln_final.hook_in"
    return f"blocks.{reader // 2}.ln{1 + reader % 2}.hook_in"


def put_at(value: Tensor, positions: Tensor, state: Tensor, **_: object) -> Tensor:
    """Return the state with the value at positions."""
    rows = torch.arange(len(value))[:, None]
    state = state.clone()
    state[rows, positions] = value[rows, positions]
    return state


def put(section: int, value: Tensor, positions: Tensor) -> list[Hook]:
    """Make hooks after which the state after a section is the value at positions."""
    replaced = partial(put_at, value, positions)
    if section % 2:
        return [(state_point(section), replaced)]
    before: list[Tensor] = []

    def read(state: Tensor, **_: object) -> None:
        before.append(state)

    def write(written: Tensor, **_: object) -> Tensor:
        return replaced(before[-1] + written) - before[-1]

    return [
        (f"blocks.{section // 2}.hook_resid_pre", read),
        (write_point(section), write),
    ]


def put_embeddings(value: Tensor, positions: Tensor) -> list[Hook]:
    """Make a hook after which the embeddings are the value at positions."""
    return [("blocks.0.hook_resid_pre", partial(put_at, value, positions))]


def replace_write(section: int, value: Tensor) -> list[Hook]:
    """Make a hook that writes the value instead, everywhere."""
    return [(write_point(section), lambda _write, **_: value)]


def columns(values: Sequence[Tensor]) -> np.ndarray:
    """Put the sections' values on prompts side by side."""
    return torch.stack([*values], dim=1).double().numpy()


def deviations(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return each section's largest difference as a part of its largest value."""
    return np.abs(found - expected).max(axis=0) / np.abs(expected).max(axis=0)


def check(found: np.ndarray, expected: np.ndarray) -> None:
    """Insist that two answers agree, and that both say something of every section.

    Differences are parts of a section's largest value over prompts: the effect on one
    prompt can be a difference of large numbers that happens to vanish.
    """
    assert found.shape == expected.shape
    assert np.abs(expected).max(axis=0).min() > 1e-3
    assert deviations(found, expected).max() < TOLERANCE


def check_apart(found: np.ndarray, wrong: np.ndarray) -> None:
    """Insist that a wrong answer is far off at every section."""
    assert found.shape == wrong.shape
    assert deviations(found, wrong).min() > NOTICED
