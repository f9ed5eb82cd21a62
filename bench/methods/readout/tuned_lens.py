"""Tuned lens: the behaviour read off each state after a learned change of basis.

    M(unembed(norm(h + A h + b)))

at the copy sites, with h the residual after a section. A and b are learned for each
section but the last, from 0, to give the model's own predictions (KL divergence at
every position), on repeated prompts of the discovery prompts' tokens in a new order,
which the behaviour is not read from. Kind: state. Cost: 1 F, and STEPS times a forward
pass of a quarter of the prompts and S unembeddings forward and backward.
Source: Belrose et al. 2023 (arXiv 2303.08112).
Known failure: a lens learns to read what the model has not decided yet, and its data
are few. Training need not be stable: on planted-gpt2 rounding alone moves the answer by
3 percent of its largest value.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.methods.readout.logit_lens import read
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.profiles.attribution import LayerAttribution

STEPS = 60
BATCH = 1 / 4
"""Share of the prompts in a step."""
RATE = 3e-3


@method("tuned-lens", kind="state", cost="1 F + 60/4 (F + 3 S unembeddings)")
def tuned_lens(ctx: TaskContext) -> LayerAttribution:
    """Translate the state after each section, then unembed it."""
    lenses = _train(ctx)
    *states, last = ctx.trace(ctx.prompts.clean).states
    with torch.no_grad():
        translated = [
            state + lens(state) for state, lens in zip(states, lenses, strict=True)
        ]
    translated.append(last)  # the model reads it without a lens
    return ctx.answer(torch.stack([read(ctx, state) for state in translated], dim=1))


def _train(ctx: TaskContext) -> list[nn.Linear]:
    width = ctx.subject.unembedding.shape[1]
    lenses = [_zero(width, ctx.subject) for _ in range(ctx.n_sections - 1)]
    parameters = [p for lens in lenses for p in lens.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=RATE)
    for step in range(STEPS):
        loss = _loss(ctx.subject, lenses, reordered(ctx))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        ctx.progress(step + 1, STEPS)
    return lenses


def _zero(width: int, model: SubjectModel) -> nn.Linear:
    # torch draws a linear map's first weights from its global generator
    lens = nn.Linear(width, width, device="meta").to_empty(device=model.device)
    nn.init.zeros_(lens.weight)
    nn.init.zeros_(lens.bias)
    return lens.to(model.dtype)


def reordered(ctx: TaskContext) -> Int[Tensor, "batch T"]:
    """Draw clean prompts and give every token another of the prompts' tokens.

    The same token gets the same one throughout a prompt, so that what repeats goes on
    repeating. The first token of all prompts, if it is one, stays.
    """
    clean = ctx.prompts.clean
    batch = max(1, int(BATCH * len(clean)))
    chosen = torch.randint(
        len(clean), (batch,), generator=ctx.generator, device=ctx.device
    )
    known = clean[:, 1:].unique()
    order = torch.randperm(len(known), generator=ctx.generator, device=ctx.device)
    renamed = torch.arange(ctx.subject.vocabulary, device=ctx.device)
    renamed[known] = known[order]
    ids = renamed[clean[chosen]]
    ids[:, 0] = clean[chosen, 0]
    return ids


def _loss(
    model: SubjectModel, lenses: list[nn.Linear], ids: Int[Tensor, "batch T"]
) -> Float[Tensor, ""]:
    """Sum over lenses the divergence from what the model itself predicts."""
    with torch.no_grad():
        trace = run(model, ids)
    target = trace.logits.log_softmax(dim=-1).flatten(0, 1)
    losses = [
        functional.kl_div(
            model.read_out(h + lens(h)).log_softmax(dim=-1).flatten(0, 1),
            target,
            reduction="batchmean",
            log_target=True,
        )
        for h, lens in zip(trace.states[:-1], lenses, strict=True)
    ]
    return torch.stack(losses).sum()
