"""Look into attention heads, and change how gradients pass through them.

Every architecture of transformers hands queries, keys and values to one attention
function, chosen by name. The one here computes what eager attention computes, records
it, and lets gradients pass by other rules; so nothing below has to know an
architecture. Shapes: B rows, L blocks, H heads, T positions, k width of
a head.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from bench.models.gradient_scale import scale_gradient, with_slope
from bench.models.subject import SubjectModel

NAME = "bench-heads"


@dataclass(frozen=True)
class AttentionRules:
    """How gradients pass through attention; values never change."""

    query: float = 1.0
    """Factor on the gradient of queries."""
    key: float = 1.0
    value: float = 1.0
    temperature: float = 1.0
    """The softmax is differentiated at scores divided by this."""
    freeze_pattern: bool = False
    """Whether patterns count as constants."""


PLAIN = AttentionRules()


@dataclass(frozen=True)
class HeadRun:
    """What the heads of one block did."""

    query: Float[Tensor, "B H T k"]
    """After rotation."""
    key: Float[Tensor, "B H T k"]
    """After rotation, repeated where heads share one."""
    value: Float[Tensor, "B H T k"]
    pattern: Float[Tensor, "B H T T"]
    output: Float[Tensor, "B T H k"]
    mask: Tensor | None
    scaling: float
    cap: float | None

    def attend(
        self, query: Float[Tensor, "B H T k"], key: Float[Tensor, "B H T k"]
    ) -> Float[Tensor, "B H T T"]:
        """Return the pattern of other queries and keys under the same mask."""
        return torch.softmax(self.scores(query, key), dim=-1)

    def detached(self) -> "HeadRun":
        """Return the same without the graph it was computed by."""
        names = ("query", "key", "value", "pattern", "output")
        return replace(self, **{name: getattr(self, name).detach() for name in names})

    def scores(
        self, query: Float[Tensor, "B H T k"], key: Float[Tensor, "B H T k"]
    ) -> Float[Tensor, "B H T T"]:
        """Return the masked scores of queries and keys."""
        return _scores(query, key, self.mask, self.scaling, self.cap)


@dataclass
class _Observer:
    rules: AttentionRules
    runs: list[HeadRun] = field(default_factory=list)


_ACTIVE: ContextVar[_Observer] = ContextVar("observer")


@contextmanager
def observed_heads(
    model: SubjectModel, rules: AttentionRules = PLAIN
) -> Generator[list[HeadRun], None, None]:
    """Record the heads of every block that runs, in order.

    Yields:
        A list that grows by one entry a block.
    """
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    before = str(model.module.config._attn_implementation)
    observer = _Observer(rules)
    token = _ACTIVE.set(observer)
    model.module.set_attn_implementation(NAME)
    try:
        yield observer.runs
    finally:
        model.module.set_attn_implementation(before)
        _ACTIVE.reset(token)


def patterns(
    model: SubjectModel, ids: Int[Tensor, "B T"]
) -> Float[Tensor, "L B H T T"]:
    """Return the attention patterns of every block."""
    with observed_heads(model) as heads:
        model.module.base_model(input_ids=ids, use_cache=False)
    return torch.stack([head.pattern for head in heads])


def _attention(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    **_: object,
) -> tuple[Tensor, Tensor]:
    """Attend as transformers' eager functions do, and record it."""
    observer = _ACTIVE.get()
    rules = observer.rules
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    shared = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(shared, dim=1) for x in (key, value))
    query = scale_gradient(query, rules.query)
    key = scale_gradient(key, rules.key)
    value = scale_gradient(value, rules.value)
    scores = _scores(query, key, attention_mask, scale, softcap)
    pattern = _softmax(scores, rules)
    output = (pattern @ value).transpose(1, 2)
    observer.runs.append(
        HeadRun(query, key, value, pattern, output, attention_mask, scale, softcap)
    )
    return output, pattern


def _scores(
    query: Tensor, key: Tensor, mask: Tensor | None, scaling: float, cap: float | None
) -> Tensor:
    scores = query @ key.transpose(-1, -2) * scaling
    if cap is not None:
        scores = cap * torch.tanh(scores / cap)
    return scores if mask is None else scores + mask


def _softmax(scores: Tensor, rules: AttentionRules) -> Tensor:
    pattern = torch.softmax(scores, dim=-1)
    if rules.freeze_pattern:
        return pattern.detach()
    if rules.temperature == 1.0:
        return pattern
    # the slope of softmax(x) with respect to x, taken at x / temperature
    flat = with_slope(scores / rules.temperature, scores)
    return with_slope(pattern, torch.softmax(flat, dim=-1))
