"""How the response at control sites depends on the distance from the source."""

import numpy as np
from measuring import prepare, respond
from settings import Setting
from whole import chunks

from bench.models.subject import SubjectModel
from bench.perturbation.layout import Bench
from bench.perturbation.stages import COPY

SETTING = Setting(prompts=8)


def response_by_distance(model: SubjectModel) -> dict[str, object]:
    """Average the response at control pairs by distance, at the copy sites' peak.

    Returns:
        ``copy``, ``control`` (mean over all control pairs), ``far`` (mean over those at
        more than half a period), ``by_distance`` and the two ratios.
    """
    bench = prepare(model, SETTING)
    peak, responses = _at_peak(bench)
    pairs: dict[int, list[float]] = {}
    for source, site in _control_pairs():
        pairs.setdefault(site - source, []).append(responses[source - 2, site])
    copy = float(np.mean([responses[k - 2, site] for k, site in _copy_pairs()]))
    everything = np.concatenate(list(pairs.values()))
    half = SETTING.period / 2
    far = np.concatenate([found for step, found in pairs.items() if step > half])
    return {
        "peak": peak,
        "copy": copy,
        "control": everything.mean(),
        "far": far.mean(),
        "ratio_sites": copy / everything.mean(),
        "ratio_far": copy / far.mean(),
        "by_distance": {step: np.mean(found) for step, found in sorted(pairs.items())},
    }


def _at_peak(bench: Bench) -> tuple[int, np.ndarray]:
    """Return the point of the largest copy-site response, and Q there, [J, T]."""
    fields, copies = [], []
    for chunk in chunks(bench):
        field = respond(bench.model, bench.repeated.rows(chunk), 1e-3).relative
        fields.append(field.sum(dim=0))
        copies.append(bench.readouts.rows(chunk).read(field)[:, COPY].sum(dim=0))
    peak = int(sum(copies).argmax())
    return peak, (sum(fields)[:, peak] / len(bench.batch)).double().numpy()


def _copy_pairs() -> list[tuple[int, int]]:
    period = SETTING.period
    return [(k, period + k - 1) for k in range(2, period + 1)]


def _control_pairs() -> list[tuple[int, int]]:
    """List the protocol's control pairs: not the copy site, nor the two after it."""
    period = SETTING.period
    return [
        (k, site)
        for k, copy in _copy_pairs()
        for site in range(period + 1, 2 * period + 1)
        if not copy <= site <= copy + 2
    ]
