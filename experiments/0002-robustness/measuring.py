"""Measure one cell: profiles under several definitions, ratios, agreement.

Shapes: P prompts, S sections, N = S + 1 points.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from ablation import (
    ablated_readings,
    logit_drops,
    perturbed_points,
    replaced_writes,
)
from settings import Setting
from torch import Tensor
from whole import chunks, exact_response

from bench.models.behaviour import at_positions
from bench.models.loading import untrained_like
from bench.models.subject import SubjectModel
from bench.perturbation.layout import Bench, lay_out
from bench.perturbation.readout import READOUTS
from bench.perturbation.response import Probing, Response
from bench.profiles.promptwise import PromptwiseReference, composition
from bench.scores.correlation import pearson
from bench.scores.halves import reliability
from bench.tasks.drawing import RepeatedRandom, draw_prompts
from bench.tasks.prompts import Prompt

Arrays = dict[str, np.ndarray]
FIELDS = ("relative", "gain", "additive")
CONTROLS = ("protocol", "prompts", "sites")
"""The protocol's controls; control prompts alone; other sites alone."""


def measure_cell(model: SubjectModel, setting: Setting) -> dict[str, object]:
    """Measure everything that a cell asks for."""
    began = time.monotonic()
    bench = prepare(model, setting)
    read = read_response(bench, setting.strength)
    found = describe_response(read)
    found["composition"] = {
        kind: measure_ablation(bench, setting, kind) for kind in setting.ablations
    }
    if setting.ablations:
        found["reliability"] = _reliability(read, bench, setting)
    found["seconds"] = round(time.monotonic() - began, 1)
    return plain(found)


def prepare(model: SubjectModel, setting: Setting) -> Bench:
    """Lay out a cell's prompts, with its directions, on its model."""
    if setting.untrained:
        model = untrained_like(model, seed=0)
    prompts = _prompts(setting, last_token=model.vocabulary - 1)
    bench = lay_out(model, prompts, seed=setting.direction_seed)
    if setting.direction == "token":
        return bench
    return replace(
        bench,
        repeated=_redirected(bench.repeated, setting),
        control=_redirected(bench.control, setting),
    )


def _prompts(setting: Setting, *, last_token: int) -> list[Prompt]:
    recipe = RepeatedRandom(
        kind="repeated-random",
        seed=setting.prompt_seed,
        period=setting.period,
        bos=0,
        first_token=1,
        last_token=last_token,
        discovery=2,
        reference=32,
    )
    drawn = [p for p in draw_prompts(recipe) if p.split == "reference"]
    return drawn[: setting.prompts]


def _redirected(probing: Probing, setting: Setting) -> Probing:
    """Turn the tangents to a random direction or along the source's embedding."""
    old = probing.tangents
    if setting.direction == "along":
        new = at_positions(probing.embeddings, probing.positions)
    else:
        generator = torch.Generator().manual_seed(setting.direction_seed)
        new = torch.randn(old.shape, generator=generator).to(old.dtype)
    scale = old.norm(dim=-1, keepdim=True) / new.norm(dim=-1, keepdim=True)
    return replace(probing, tangents=new * scale)


def read_response(bench: Bench, strength: float | None) -> Arrays:
    """Measure and read all fields; keys ``<prompts>_<field>``, shape [P, R, depth]."""
    found: dict[str, list[Tensor]] = {}
    for name in ("repeated", "control"):
        probing: Probing = getattr(bench, name)
        for chunk in chunks(bench):
            response = respond(bench.model, probing.rows(chunk), strength)
            for field in FIELDS:
                read = bench.readouts.rows(chunk).read(getattr(response, field))
                found.setdefault(f"{name}_{field}", []).append(read)
    return {key: torch.cat(parts).double().numpy() for key, parts in found.items()}


def respond(model: SubjectModel, probing: Probing, strength: float | None) -> Response:
    """Perturb every source; differences are taken in float32."""
    if strength is None:
        return exact_response(model, probing)
    clean, moved = (p.float() for p in perturbed_points(model, probing, strength))
    shape = probing.positions.shape
    residual = clean.transpose(0, 1)[:, None]
    return Response(
        change=(moved.transpose(0, 1).unflatten(0, shape) - residual) / strength,
        residual=residual.norm(dim=-1),
        perturbation=probing.tangents.float().norm(dim=-1)[..., None, None],
    )


def take(read: Arrays, field: str, prompts: str, readout: str) -> np.ndarray:
    """Return one readout of a field, prompt by prompt."""
    return read[f"{prompts}_{field}"][:, READOUTS.index(readout)]


def in_excess(read: Arrays, field: str, controls: str = "protocol") -> np.ndarray:
    """Return a field at the copy sites in excess of a choice of controls."""
    copy = take(read, field, "repeated", "copy")
    if controls == "prompts":
        return copy - take(read, field, "control", "copy")
    excess = copy - take(read, field, "repeated", "control")
    if controls == "sites":
        return excess
    on_control = take(read, field, "control", "copy")
    return excess - (on_control - take(read, field, "control", "control"))


def describe_response(read: Arrays) -> dict[str, object]:
    """Summarise a response: profiles, signature and the ratios that gates look at."""
    signature = in_excess(read, "relative")
    mean = signature.mean(axis=0)
    found: dict[str, object] = {
        "signature": mean,
        "signature_by_prompt": signature[:, -1],
        "gain": in_excess(read, "gain").mean(axis=0),
        "increment": np.diff(mean),
        "additive": in_excess(read, "additive").mean(axis=0) / mean[-1],
        "gain_prompts": in_excess(read, "gain", "prompts").mean(axis=0),
        "gain_sites": in_excess(read, "gain", "sites").mean(axis=0),
        "previous": take(read, "additive", "repeated", "previous").mean(axis=0),
        "peak": int(mean.argmax()),
    }
    return found | _ratios(read, peak=int(mean.argmax()))


def _ratios(read: Arrays, *, peak: int) -> dict[str, object]:
    """Return copy-site response over both controls, at every point and at the peak."""
    copy = take(read, "relative", "repeated", "copy").mean(axis=0)
    sites = take(read, "relative", "repeated", "control").mean(axis=0)
    prompts = take(read, "relative", "control", "copy").mean(axis=0)
    return {
        "copy": copy,
        "at_control_sites": sites,
        "on_control_prompts": prompts,
        "ratio_sites": copy[peak] / sites[peak],
        "ratio_prompts": copy[peak] / prompts[peak],
        "ratio_sites_last": copy[-1] / sites[-1],
    }


def measure_ablation(bench: Bench, setting: Setting, kind: str) -> dict[str, object]:
    """Measure composition under one kind of ablation, for all choices of controls."""
    sections = [(section,) for section in range(bench.model.n_sections)]
    writes = replaced_writes(bench, kind)
    strength = setting.strength
    if strength is None:
        raise ValueError("Ablations are measured with finite differences here.")
    ablated = ablated_readings(bench, writes, strength=strength, ablations=sections)
    # no section replaced: the same code, so that numerics cancel
    intact = _intact(bench, strength)
    found: dict[str, object] = {
        controls: composition(
            _excess(intact, controls)[0], _excess(ablated, controls).T
        )
        for controls in CONTROLS
    }
    found["ablated_by_prompt"] = _excess(ablated, "protocol").T
    found["logit_drop"] = logit_drops(bench, writes)
    return found


def _intact(bench: Bench, strength: float) -> np.ndarray:
    """Read the last point without ablation, shape [1, 2, P, 2]."""
    read = read_response(bench, strength)
    found = [
        [take(read, "relative", prompts, site)[:, -1] for site in ("copy", "control")]
        for prompts in ("repeated", "control")
    ]
    return np.array(found).transpose(0, 2, 1)[None]


def _excess(readings: np.ndarray, controls: str) -> np.ndarray:
    """Turn [A, 2, P, 2] readings into the signature, [A, P]."""
    repeated, control = readings[:, 0], readings[:, 1]
    if controls == "prompts":
        return repeated[..., 0] - control[..., 0]
    excess = repeated[..., 0] - repeated[..., 1]
    if controls == "sites":
        return excess
    return excess - (control[..., 0] - control[..., 1])


def joint_composition(
    bench: Bench, kind: str, sets: Sequence[tuple[int, ...]], *, strength: float
) -> np.ndarray:
    """Measure composition of sets of sections replaced together."""
    writes = replaced_writes(bench, kind)
    ablated = ablated_readings(bench, writes, strength=strength, ablations=sets)
    intact = _excess(_intact(bench, strength), "protocol")[0]
    return composition(intact, _excess(ablated, "protocol").T)


def _reliability(read: Arrays, bench: Bench, setting: Setting) -> dict[str, object]:
    """Return split-half reliability of the gain and of the signature's prompts."""
    gain = in_excess(read, "gain")
    reference = PromptwiseReference(
        gain=gain, signature=np.ones(len(gain)), ablated=np.zeros_like(gain)
    )
    return {"emergence": reliability(reference, "emergence").value}


def agreement(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return Pearson's r of two profiles."""
    return pearson(np.array(one), np.array(other)).value


def plain(value: object) -> object:
    """Turn arrays into lists of five significant digits, for JSON."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.5g}") if np.isfinite(value) else None
    return value
