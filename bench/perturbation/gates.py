"""Gates: what a measurement has to show before it may serve as a reference."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from bench.errors import ReferenceRefusedError
from bench.perturbation.measurement import Measurement, copy_ratio, peak
from bench.perturbation.regime import LARGEST_CHANGE, deviations
from bench.profiles.promptwise import PROFILES, composition
from bench.scores.bootstrap import percentile_interval, resamples
from bench.scores.correlation import pearson
from bench.scores.halves import reliability

LEAST_DECADES = 2.0
LARGEST_DEVIATION = 0.02
LEAST_RATIO_TO_SITES = 3.0
LEAST_RATIO_TO_PROMPTS = 2.0
"""Control prompts respond the more the longer the prompts are; decision 0007."""
LARGEST_LOSS_RATIO = 0.5
LEAST_RELIABILITY = 0.9
LEAST_AGREEMENT = 0.9
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Gate:
    """One condition with what was measured."""

    name: str
    measured: float
    threshold: float
    at_least: bool
    """Whether the measured value must be at least (else: at most) the threshold."""
    meaning: str
    interval: tuple[float, float] | None = None
    """What 95 % of resampled prompts give, where ``measured`` does not hold this."""

    @property
    def passed(self) -> bool:
        """Whether the condition holds; a value that is not finite never passes."""
        if not np.isfinite(self.measured):
            return False
        if self.at_least:
            return self.measured >= self.threshold
        return self.measured <= self.threshold

    def __str__(self) -> str:
        """Say what was measured and what is required."""
        relation = ">=" if self.at_least else "<="
        spread = ""
        if self.interval is not None:
            spread = " ({:.4g} to {:.4g} over prompts)".format(*self.interval)
        return (
            f"{self.name}: {self.meaning} is {self.measured:.4g}{spread}, "
            f"required {relation} {self.threshold:g}"
        )


def gates(measurement: Measurement) -> tuple[Gate, ...]:
    """Evaluate all gates of the protocol."""
    return (
        *_scale_invariance(measurement),
        *_something_to_explain(measurement),
        *_reliability(measurement),
        _agreement(measurement),
    )


def refuse_unless_passed(found: tuple[Gate, ...], *, task: str) -> None:
    """Refuse a reference that fails a gate.

    Raises:
        ReferenceRefusedError: Gates failed; the message lists all with their numbers.
    """
    failed = [gate for gate in found if not gate.passed]
    if not failed:
        return
    reasons = "\n".join(f"  {gate}" for gate in failed)
    verdict = (
        "no induction signature"
        if any(gate.name in SIGNATURE_GATES for gate in failed)
        else "the measurement is not good enough"
    )
    raise ReferenceRefusedError(
        f"The reference of '{task}' is refused ({verdict}); nothing was written:\n"
        f"{reasons}\n"
        "Use a model that shows the behaviour, or more and longer prompts."
    )


SIGNATURE_GATES = frozenset({"signature", "ratio-sites", "ratio-prompts", "loss"})
"""Gates that fail where there is nothing to explain."""


def interval(
    values: Float[np.ndarray, "prompts ..."],
) -> Float[np.ndarray, "two ..."]:
    """Return Student-t confidence bounds of the mean over prompts, lower and upper."""
    from scipy.stats import t  # noqa: PLC0415  (half a second to import)

    count = len(values)
    width = t.ppf((1 + CONFIDENCE) / 2, count - 1)
    error = values.std(axis=0, ddof=1) / np.sqrt(count)
    mean = values.mean(axis=0)
    return np.stack([mean - width * error, mean + width * error])


def _scale_invariance(m: Measurement) -> Iterator[Gate]:
    yield Gate(
        "regime",
        m.regime.decades,
        LEAST_DECADES,
        at_least=True,
        meaning=(
            "width of the regime, in decades of strength, in which no point's response "
            f"changes by over {LARGEST_CHANGE:.0%}"
        ),
    )
    row = int(np.argmin(np.abs(m.strengths - m.regime.strength)))
    worst = deviations(m.sweep, m.exact)[row].max()
    yield Gate(
        "exact",
        float(worst),
        LARGEST_DEVIATION,
        at_least=False,
        meaning="largest deviation of the response from the exact linear response",
    )


def _something_to_explain(m: Measurement) -> Iterator[Gate]:
    yield Gate(
        "signature",
        float(interval(m.signature[:, -1])[0]),
        0.0,
        at_least=True,
        meaning="lower confidence bound of the final signature",
    )
    yield _ratio(m, "sites", ("repeated", "far"), least=LEAST_RATIO_TO_SITES)
    yield _ratio(m, "prompts", ("control", "copy"), least=LEAST_RATIO_TO_PROMPTS)
    yield _loss(m)


def _ratio(
    m: Measurement, name: str, control: tuple[str, str], *, least: float
) -> Gate:
    kind = {"sites": "at far control sites", "prompts": "on control prompts"}[name]
    return Gate(
        f"ratio-{name}",
        copy_ratio(m.response, control),
        least,
        at_least=True,
        meaning=(
            f"copy-site response at point {peak(m.response)} over the response {kind}"
        ),
    )


def _loss(m: Measurement) -> Gate:
    first, second = m.behaviour["first_loss"].mean(), m.behaviour["second_loss"].mean()
    return Gate(
        "loss",
        float(second / first),
        LARGEST_LOSS_RATIO,
        at_least=False,
        meaning=(
            f"second-half loss ({second:.3f} nats) over first-half loss "
            f"({first:.3f} nats)"
        ),
    )


def _reliability(m: Measurement) -> Iterator[Gate]:
    for name in PROFILES:
        found = reliability(m.promptwise, name)
        yield Gate(
            f"reliability-{name}",
            float("nan") if found.value is None else found.value,
            LEAST_RELIABILITY,
            at_least=True,
            meaning=f"split-half reliability of the {name} profile",
        )


def _agreement(m: Measurement) -> Gate:
    rows = resamples(len(m.signature), stream=0)
    drawn = np.array([_correlation(m, row) for row in rows])
    return Gate(
        "composition",
        _correlation(m, np.arange(len(m.signature))),
        LEAST_AGREEMENT,
        at_least=True,
        meaning="correlation of composition by mean and by resampling",
        interval=percentile_interval(drawn) if np.isfinite(drawn).all() else None,
    )


def _correlation(m: Measurement, rows: Int[np.ndarray, " P"]) -> float:
    """Correlate the two versions of composition on some of the prompts."""
    by_mean, by_resampling = (
        composition(m.signature[rows, -1], ablation["signature"][rows])
        for ablation in (m.mean_ablation, m.resample_ablation)
    )
    found = pearson(by_resampling, by_mean)
    return float("nan") if found.value is None else found.value
