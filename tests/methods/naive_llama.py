"""A Llama written out by hand in float64, one prompt and one head at a time.

It reads weights by name and runs neither transformers nor hooks, so that methods can be
computed a second time without what they are built on.
Shapes: T positions, d width, S sections, k width of a head.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from bench.methods.context import TaskContext
from bench.models.architectures.registry import KNOWN
from bench.models.subject import SubjectModel

Change = Callable[[Tensor, Tensor], Tensor]
"""(a section's write, the residual before it) -> what it writes instead."""


@dataclass(frozen=True)
class Rules:
    """How gradients pass, where it is not the derivative."""

    frozen_norms: bool = False
    secants: bool = False
    half_gates: bool = False
    frozen_patterns: bool = False
    query: float = 1.0
    key: float = 1.0
    value: float = 1.0
    temperature: float = 1.0


@dataclass(frozen=True)
class NaiveHead:
    """One head on one prompt."""

    query: Tensor
    key: Tensor
    value: Tensor
    scores: Tensor
    """Minus infinity at later positions."""
    pattern: Tensor
    output: Tensor
    projection: Tensor
    """From the output to the residual stream, [k, d]."""
    given: Tensor
    """The output in the residual stream, [T, d]."""


@dataclass(frozen=True)
class NaiveRun:
    """One prompt's run."""

    points: list[Tensor]
    """[T, d] each, S + 1 of them."""
    writes: list[Tensor]
    heads: list[list[NaiveHead]]
    logits: Tensor


class _SlopeElsewhere(torch.autograd.Function):
    """Softmax of the last axis, with the Jacobian of softmax(x / temperature)."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, temperature: float) -> Tensor:
        flat = (scores / temperature).exp()
        ctx.save_for_backward(flat / flat.sum(dim=-1, keepdim=True))
        sharp = (scores - scores.amax(dim=-1, keepdim=True)).exp()
        return sharp / sharp.sum(dim=-1, keepdim=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (flat,), (gradient,) = ctx.saved_tensors, gradients
        mean = (gradient * flat).sum(dim=-1, keepdim=True)
        return flat * (gradient - mean), None


class _Factor(torch.autograd.Function):
    """Nothing forward, a factor on the gradient backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * gradients[0], None


def _factor(x: Tensor, factor: float) -> Tensor:
    scaled = _Factor.apply(x, factor)
    assert isinstance(scaled, Tensor)
    return scaled


class NaiveLlama:
    """The weights of a Llama without biases, in float64."""

    def __init__(self, model: SubjectModel) -> None:
        """Copy the weights."""
        state = model.module.state_dict()
        self.weights = {name: w.double().clone() for name, w in state.items()}
        config = model.module.config
        self.n_blocks: int = config.num_hidden_layers
        self.n_heads: int = config.num_attention_heads
        self.shared: int = config.num_attention_heads // config.num_key_value_heads
        self.epsilon: float = config.rms_norm_eps
        self.base: float = config.rope_parameters["rope_theta"]

    @property
    def table(self) -> Tensor:
        """The unembedding, [vocabulary, d]."""
        return self.weights["lm_head.weight"]

    def embed(self, ids: Tensor) -> Tensor:
        """Look tokens up."""
        return self.weights["model.embed_tokens.weight"][ids]

    def run(
        self,
        start: Tensor,
        *,
        rules: Rules = Rules(),
        changes: Mapping[int, Change] | None = None,
        read_shifts: Mapping[int, Tensor] | None = None,
    ) -> NaiveRun:
        """Run one prompt from its embeddings.

        Args:
            start: What enters block 0, [T, d].
            rules: How gradients pass.
            changes: Section to the change of its write.
            read_shifts: Reader to what is added to what it reads, and to that alone.
        """
        points, writes, heads = [start], [], []
        for section in range(2 * self.n_blocks):
            read = points[-1] + (read_shifts or {}).get(section, 0.0)
            if section % 2 == 0:
                found = self.attend(section // 2, read, rules)
                heads.append(found)
                write = torch.stack([head.given for head in found]).sum(dim=0)
            else:
                write = self.mlp(section // 2, read, rules)
            if changes and section in changes:
                write = changes[section](write, points[-1])
            writes.append(write)
            points.append(points[-1] + write)
        last = points[-1] + (read_shifts or {}).get(2 * self.n_blocks, 0.0)
        return NaiveRun(points, writes, heads, self.unembed(last, rules))

    def unembed(self, state: Tensor, rules: Rules = Rules()) -> Tensor:
        """Return the logits of a last state."""
        return self.norm("model.norm", state, rules) @ self.table.T

    def norm(self, name: str, x: Tensor, rules: Rules) -> Tensor:
        """Divide by the root mean square."""
        size = ((x * x).sum(dim=-1, keepdim=True) / x.shape[-1] + self.epsilon).sqrt()
        if rules.frozen_norms:
            size = size.detach()
        return self.weights[f"{name}.weight"] * x / size

    def attend(self, block: int, read: Tensor, rules: Rules) -> list[NaiveHead]:
        """Run the heads of a block one by one."""
        place = f"model.layers.{block}"
        x = self.norm(f"{place}.input_layernorm", read, rules)
        wq, wk, wv, wo = (
            self.weights[f"{place}.self_attn.{name}_proj.weight"] for name in "qkvo"
        )
        k = len(wq) // self.n_heads
        later = torch.ones(len(x), len(x)).triu(1).bool()
        heads = []
        for h in range(self.n_heads):
            own = slice(k * h, k * h + k)
            common = slice(k * (h // self.shared), k * (h // self.shared) + k)
            query = _factor(self.rotate(x @ wq[own].T), rules.query)
            key = _factor(self.rotate(x @ wk[common].T), rules.key)
            value = _factor(x @ wv[common].T, rules.value)
            scores = (query @ key.T / k**0.5).masked_fill(later, -torch.inf)
            pattern = _SlopeElsewhere.apply(scores, rules.temperature)
            assert isinstance(pattern, Tensor)
            if rules.frozen_patterns:
                pattern = pattern.detach()
            output = pattern @ value
            projection = wo[:, own].T
            given = output @ projection
            heads.append(
                NaiveHead(query, key, value, scores, pattern, output, projection, given)
            )
        return heads

    def rotate(self, x: Tensor) -> Tensor:
        """Turn pairs of components by angles that grow with the position."""
        half = x.shape[1] // 2
        speeds = self.base ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.outer(torch.arange(len(x), dtype=torch.float64), speeds)
        turned = torch.complex(x[:, :half], x[:, half:]) * torch.polar(
            torch.ones_like(angles), angles
        )
        return torch.cat([turned.real, turned.imag], dim=1)

    def mlp(self, block: int, read: Tensor, rules: Rules) -> Tensor:
        """Run the MLP of a block."""
        place = f"model.layers.{block}"
        x = self.norm(f"{place}.post_attention_layernorm", read, rules)
        gate, up, down = (
            self.weights[f"{place}.mlp.{name}_proj.weight"]
            for name in ("gate", "up", "down")
        )
        entering = x @ gate.T
        slope = 1 / (1 + (-entering).exp())  # SiLU(x) / x
        opened = entering * (slope.detach() if rules.secants else slope)
        raised = x @ up.T
        if rules.half_gates:
            opened, raised = _factor(opened, 0.5), _factor(raised, 0.5)
        return (opened * raised) @ down.T


class NaiveTask:
    """A task's prompts on the hand-written model."""

    def __init__(self, ctx: TaskContext) -> None:
        """Take the weights and prompts of a context."""
        self.llama = NaiveLlama(ctx.subject)
        prompts = ctx.prompts
        kinds = ("clean", "corrupt", "control")
        self.ids: dict[str, Tensor] = {kind: getattr(prompts, kind) for kind in kinds}
        self.sites: list[list[int]] = prompts.sites.tolist()
        self.sources: list[list[int]] = prompts.sources.tolist()
        self.n_sections = 2 * self.llama.n_blocks
        self.all = range(len(self.sites))

    def __len__(self) -> int:
        """Return the number of prompts."""
        return len(self.sites)

    def start(self, kind: str, p: int) -> Tensor:
        """Return a prompt's embeddings, [T, d]."""
        return self.llama.embed(self.ids[kind][p])

    def run(self, kind: str, p: int, **options: Any) -> NaiveRun:
        """Run a prompt."""
        return self.llama.run(self.start(kind, p), **options)

    def target(self, p: int, probe: int) -> int:
        """Return the token that a copy site must predict."""
        return int(self.ids["clean"][p, self.sources[p][probe]])

    def behaviour(self, p: int, logits: Tensor) -> Tensor:
        """Average the target's logit less the mean logit over copy sites."""
        total = torch.zeros((), dtype=torch.float64)
        for probe, site in enumerate(self.sites[p]):
            total = total + logits[site, self.target(p, probe)] - logits[site].mean()
        return total / len(self.sites[p])

    def value(self, kind: str, p: int, **options: Any) -> float:
        """Run a prompt and measure the behaviour."""
        return float(self.behaviour(p, self.run(kind, p, **options).logits))

    @cached_property
    def gap(self) -> float:
        """Return the mean difference of the behaviour between clean and corrupt."""
        one, other = (
            [self.value(k, p) for p in self.all] for k in ("clean", "corrupt")
        )
        return float(np.mean(one) - np.mean(other))

    def mask(self, positions: list[int]) -> Tensor:
        """Return 1 at some positions and 0 elsewhere, [T, 1]."""
        mask = torch.zeros(self.ids["clean"].shape[1], 1, dtype=torch.float64)
        mask[positions] = 1.0
        return mask

    def gradients(
        self, kind: str, p: int, **options: Any
    ) -> tuple[NaiveRun, list[Tensor]]:
        """Run a prompt and differentiate with respect to all S + 1 points."""
        start = self.start(kind, p).requires_grad_()
        run = self.llama.run(start, **options)
        value = self.behaviour(p, run.logits)
        return run, list(torch.autograd.grad(value, run.points))


def random_model(name: str, *, heads: int = 2, shared: int = 1) -> SubjectModel:
    """Build a random model of two blocks of an architecture, without a cap on logits.

    Args:
        name: The architecture.
        heads: Number of heads.
        shared: Number of heads to a key and a value, where the architecture can.
    """
    config = AutoConfig.for_model(
        name,
        vocab_size=40,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=heads // shared,
        head_dim=16 // heads,
        max_position_embeddings=32,
        final_logit_softcapping=None,
        pad_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = AutoModelForCausalLM.from_config(
            config, attn_implementation="eager", dtype=torch.float32
        )
        for parameter in module.parameters():
            parameter.data += 0.25 * torch.randn_like(parameter)
    module.eval()
    module.requires_grad_(False)
    return SubjectModel(module, KNOWN[name])


def instead(value: Tensor) -> Change:
    """Write a value."""
    return lambda _write, _residual: value


def stand_at(state: Tensor, mask: Tensor) -> Change:
    """Write what makes the state a given one where the mask is 1."""
    return lambda write, residual: mask * (state - residual) + (1 - mask) * write


def dot(x: Tensor, y: Tensor) -> float:
    """Sum the products of two tensors."""
    return float((x.detach().double() * y.detach().double()).sum())


def deviation(found: np.ndarray | None, expected: Any) -> float:
    """Return the largest difference, relative to the largest expected value.

    The largest expected value may not be tiny, or nothing would be compared.
    """
    expected = np.asarray(expected, dtype=float)
    assert found is not None
    assert found.shape == expected.shape
    size = np.abs(expected).max()
    assert size > 1e-3
    return float(np.abs(found - expected).max() / size)
