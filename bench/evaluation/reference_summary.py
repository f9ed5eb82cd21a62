"""Turn a measurement into the record and the arrays that are stored."""

import numpy as np
from jaxtyping import Float

from bench.errors import ReferenceRefusedError
from bench.evaluation.keys import model_provenance
from bench.models.subject import SubjectModel
from bench.perturbation.gates import gates, interval
from bench.perturbation.measurement import Measurement
from bench.perturbation.protocol import SEED
from bench.perturbation.regime import deviations
from bench.perturbation.stages import Arrays
from bench.profiles.promptwise import PROFILES, PromptwiseReference
from bench.results.attribution_record import task_key
from bench.results.reference_record import (
    Band,
    GateRecord,
    ReferenceRecord,
    RegimeRecord,
)
from bench.scores.halves import ceiling, reliability
from bench.tasks.spec import PROTOCOL, Task


def reference_arrays(m: Measurement) -> Arrays:
    """Collect the per-prompt values and the mean response tensors."""
    single = {
        key: value.astype(np.float32)
        for key, value in m.response.items()
        if key.endswith("mean_relative")
    }
    return {
        "gain": m.gain,
        "raw": m.read("raw", "repeated", "copy"),
        "additive": m.excess("additive"),
        "previous": m.read("relative", "repeated", "previous"),
        "match": m.excess("relative", "match"),
        "first_loss": m.behaviour["first_loss"],
        "second_loss": m.behaviour["second_loss"],
        "signature": m.signature,
        "ablated_mean": m.mean_ablation["signature"],
        "ablated_resample": m.resample_ablation["signature"],
        "logit": m.behaviour["logit"],
        "logit_resample": m.resample_ablation["logit"],
        **single,
    }


def summarise(
    task: Task,
    m: Measurement,
    *,
    null: PromptwiseReference,
    arrays_sha256: str,
    model: SubjectModel,
    wall_s: float,
) -> ReferenceRecord:
    """Reduce a measurement to what a reader may want to see."""
    # control prompts share the first half: subtracting them would leave nothing
    previous = m.read("relative", "repeated", "previous") - m.read(
        "relative", "repeated", "control"
    )
    return ReferenceRecord(
        task=task_key(task),
        protocol=PROTOCOL,
        from_exact=m.from_exact,
        prompts=m.promptwise.n_prompts,
        regime=_regime(m),
        signature=_band(m.signature),
        gain=_band(m.gain),
        increment=_numbers(m.increment.mean(axis=0)),
        dilution=_numbers(m.dilution.mean(axis=0)),
        additive_share=_numbers(m.additive_share),
        composition_mean=_numbers(m.composition_mean),
        composition_resample=_numbers(m.composition_resample),
        logit_drop=_numbers(m.logit_drop),
        previous_path=_numbers(previous.mean(axis=0)),
        match_path=_numbers(m.excess("relative", "match").mean(axis=0)),
        copy_response=_response(m, "repeated", "copy"),
        control_response=_response(m, "repeated", "control"),
        far_control_response=_response(m, "repeated", "far"),
        control_prompt_response=_response(m, "control", "copy"),
        first_loss=float(m.behaviour["first_loss"].mean()),
        second_loss=float(m.behaviour["second_loss"].mean()),
        reliability={n: _value(reliability(m.promptwise, n).value) for n in PROFILES},
        ceiling={n: _value(ceiling(m.promptwise, n).value) for n in PROFILES},
        norm_growth=_numbers(m.behaviour["norm_growth"]),
        untrained={name: _numbers(null.profile(name)) for name in PROFILES},
        gates=tuple(
            GateRecord(
                name=gate.name,
                measured=gate.measured,
                threshold=gate.threshold,
                at_least=gate.at_least,
                meaning=gate.meaning,
                interval=gate.interval,
            )
            for gate in gates(m)
        ),
        arrays_sha256=arrays_sha256,
        wall_s=wall_s,
        provenance=model_provenance(model, seed=SEED),
    )


def _regime(m: Measurement) -> RegimeRecord:
    return RegimeRecord(
        strengths=_numbers(m.strengths),
        responses=tuple(_numbers(row) for row in m.sweep),
        exact=_numbers(m.exact),
        deviations=_numbers(deviations(m.sweep, m.exact).max(axis=1)),
        lowest=m.regime.lowest,
        highest=m.regime.highest,
        change=m.regime.change,
        strength=m.regime.strength,
    )


def _response(m: Measurement, prompts: str, readout: str) -> tuple[float, ...]:
    return _numbers(m.read("relative", prompts, readout).mean(axis=0))


def _band(values: Float[np.ndarray, "P D"]) -> Band:
    lower, upper = interval(values)
    return Band(
        mean=_numbers(values.mean(axis=0)),
        lower=_numbers(lower),
        upper=_numbers(upper),
    )


def _numbers(values: Float[np.ndarray, " n"]) -> tuple[float, ...]:
    return tuple(values.tolist())


def _value(value: float | None) -> float:
    if value is None:  # the gates have passed, so every reliability is defined
        raise ReferenceRefusedError("A half of the prompts gives no usable profile.")
    return value
