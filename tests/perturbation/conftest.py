"""A second implementation of the response, by plain hooks, and made-up measurements."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.models.subject import SubjectModel
from bench.perturbation.layout import Bench, lay_out
from bench.perturbation.measurement import Measurement
from bench.perturbation.regime import find_regime
from bench.perturbation.response import Probing
from bench.tasks.prompts import Prompt


@dataclass(frozen=True)
class NaiveResponse:
    """The fields of one source of one prompt, as [points or sections, positions]."""

    relative: Tensor
    raw: Tensor
    gain: Tensor
    additive: Tensor


def residual_points(
    model: SubjectModel, start: Tensor, replaced: dict[int, Tensor]
) -> Tensor:
    """Run one prompt from its embeddings and add up what the projections return."""
    points = [start]
    handles = []
    for section, module in enumerate(model.section_modules):

        def hook(
            _module: object, _inputs: object, output: Tensor, section: int = section
        ) -> Tensor:
            write = replaced.get(section, output)
            points.append(points[-1] + write)
            return write

        handles.append(module.register_forward_hook(hook))
    with torch.no_grad():
        model.module.base_model(inputs_embeds=start[None], use_cache=False)
    for handle in handles:
        handle.remove()
    return torch.stack([point.reshape(start.shape) for point in points]).double()


@pytest.fixture(scope="session")
def naive_response() -> Callable[..., NaiveResponse]:
    """Perturb one position of one prompt towards another token, by the definitions."""

    def respond(
        model: SubjectModel,
        ids: Tensor,
        *,
        source: int,
        other: int,
        strength: float,
        replaced: dict[int, Tensor] | None = None,
    ) -> NaiveResponse:
        table = model.module.get_parameter("model.embed_tokens.weight")
        start = table[ids]
        towards = table[other] - start[source]
        length = start[source].norm()
        moved = start.clone()
        moved[source] += strength * length * towards / towards.norm()
        before = residual_points(model, start, replaced or {})
        after = residual_points(model, moved, replaced or {})
        change = after - before
        n_points, n_positions = change.shape[:2]
        relative = torch.zeros(n_points, n_positions, dtype=torch.float64)
        raw = relative.clone()
        gain = torch.zeros(n_points - 1, n_positions, dtype=torch.float64)
        additive = gain.clone()
        for p in range(n_points):
            for i in range(n_positions):
                size = change[p, i].norm()
                relative[p, i] = size / before[p, i].norm() / strength
                raw[p, i] = size / (strength * length)
        for s in range(n_points - 1):
            for i in range(n_positions):
                grown = change[s + 1, i].norm() - change[s, i].norm()
                gain[s, i] = grown / (strength * before[s + 1, i].norm())
                final = change[-1, i]
                if final.norm() > 0:
                    write = change[s + 1, i] - change[s, i]
                    share = write @ final / (final @ final)
                    additive[s, i] = share * relative[-1, i]
        return NaiveResponse(relative, raw, gain, additive)

    return respond


@pytest.fixture(scope="session")
def laid_out(tiny_model: SubjectModel, few_prompts: tuple[Prompt, ...]) -> Bench:
    """Three prompts made ready on the small model."""
    return lay_out(tiny_model, few_prompts, seed=0, chunk=2)


@pytest.fixture(scope="session")
def probing(laid_out: Bench) -> Probing:
    """The repeated prompts made ready."""
    return laid_out.repeated


@dataclass(frozen=True)
class Wanted:
    """What a made-up measurement should show; the defaults pass every gate.

    Two blocks, six prompts. On repeated prompts the copy site responds with .75 from
    point 3 on, every control with .25; so section 2 emerges and ratios are exactly 3.
    Controls within reach of short-range mixing are the ones that are not far.
    """

    copy: float = 0.75
    control: float = 0.25
    far: float = 0.25
    on_control_prompts: float = 0.25
    noise: float = 0.0
    losses: tuple[float, float] = (4.0, 2.0)
    gain_noise: float = 0.0
    ablated: tuple[float, ...] = (0.0, 0.5, 0.0, 0.5)
    ablated_noise: float = 0.0
    resample: tuple[float, ...] = (0.0, 0.5, 0.0, 0.5)
    sweep: tuple[float, ...] = (2.0, 1.0, 1.0, 1.0, 2.0)
    """Response from point 3 on at five strengths, from 1e-5 up."""
    exact: float = 1.0


def made_response(wanted: Wanted, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Make up the response of six prompts, four sections."""
    repeated, other = np.zeros((6, 5, 5)), np.zeros((6, 5, 5))
    repeated[:, 0, 3:] = wanted.copy + wanted.noise * rng.normal(size=(6, 1))
    repeated[:, 1, 3:] = wanted.control
    repeated[:, 4, 3:] = wanted.far
    other[:, :2, 3:] = wanted.on_control_prompts
    noise = wanted.gain_noise * rng.normal(size=(6, 5, 4))
    return {
        "repeated_relative": repeated,
        "control_relative": other,
        "repeated_gain": np.diff(repeated, axis=2) + noise,
        "control_gain": np.diff(other, axis=2),
        "repeated_additive": np.diff(repeated, axis=2),
        "control_additive": np.diff(other, axis=2),
    }


@pytest.fixture(scope="session")
def make_measurement() -> Callable[..., Measurement]:
    """Build a measurement that passes every gate, except where keywords change it."""

    def make(**changes: float | tuple[float, ...]) -> Measurement:
        wanted = replace(Wanted(), **changes)
        rng = np.random.default_rng(0)
        strengths = np.array([1e-5, 1e-4, 1e-3, 1e-2, 1e-1])
        depth = np.array([0, 0, 0, 1.0, 1.0])
        sweep = np.array(wanted.sweep)[:, None] * depth
        mean = wanted.ablated + wanted.ablated_noise * rng.normal(size=(6, 4))
        logit = np.ones((6, 4)) * [0.5, 3.0, 0.0, 3.0]
        return Measurement(
            strengths=strengths,
            sweep=sweep,
            exact=wanted.exact * depth,
            regime=find_regime(strengths, sweep),
            from_exact=False,
            behaviour={
                "logit": np.full(6, 3.0),
                "first_loss": np.full(6, wanted.losses[0]),
                "second_loss": np.full(6, wanted.losses[1]),
            },
            response=made_response(wanted, rng),
            mean_ablation={"signature": mean, "logit": logit},
            resample_ablation={
                "signature": np.ones((6, 4)) * wanted.resample,
                "logit": logit,
            },
        )

    return make
