"""How scores and their skills behave, few and many sections, one peak and many.

References are drawn, and so are attributions whose quality is known: a share q of each
is right. A good score orders them, gives little to what is easy to guess, and keeps its
skill finite where nulls are strong. Run: ``python experiments/0006-scores/study.py``
(a minute).
"""

from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import spearmanr
from tabulate import tabulate

from bench.scores.nulls import ANALYTIC, random_overlap
from bench.scores.overlap import overlap
from bench.scores.recall import top_k_recall
from bench.scores.shares import shares

DRAWS = 200
QUALITIES = (0.2, 0.4, 0.6, 0.8, 1.0)
SHAPES = [
    (sections, peaks)
    for sections in (8, 16, 32, 128)
    for peaks in (1, 3, 8)
    if peaks < sections
]

Measure = Callable[[np.ndarray, np.ndarray], float]


def pearson_r(a: np.ndarray, t: np.ndarray) -> float:
    """Return the linear correlation, 0 for a constant."""
    return 0.0 if np.ptp(a) == 0 else float(np.corrcoef(a, t)[0, 1])


def spearman_r(a: np.ndarray, t: np.ndarray) -> float:
    """Return the rank correlation, 0 for a constant."""
    return 0.0 if np.ptp(a) == 0 else float(spearmanr(a, t).statistic)


def cosine(a: np.ndarray, t: np.ndarray) -> float:
    """Return the cosine of the shares."""
    a, t = shares(a), shares(t)
    return float(a @ t / np.linalg.norm(a) / np.linalg.norm(t))


def depth_agreement(a: np.ndarray, t: np.ndarray) -> float:
    """Return one minus the Wasserstein distance over depth."""
    gap = np.cumsum(shares(a)) - np.cumsum(shares(t))
    return 1.0 - float(np.abs(gap).mean())


def shannon(a: np.ndarray, t: np.ndarray) -> float:
    """Return one minus the Jensen-Shannon distance of the shares."""
    return 1.0 - float(jensenshannon(shares(a), shares(t), base=2))


MEASURES: dict[str, Measure] = {
    "overlap": lambda a, t: overlap(a, t).value or 0.0,
    "pearson": pearson_r,
    "spearman": spearman_r,
    "cosine": cosine,
    "top-k recall": lambda a, t: top_k_recall(a, t).value or 0.0,
    "1 - wasserstein": depth_agreement,
    "1 - jensen-shannon": shannon,
}


def draw_reference(rng: np.random.Generator, sections: int, peaks: int) -> np.ndarray:
    """Put 95 % on some sections in random parts, and the rest on all."""
    profile = np.zeros(sections)
    where = rng.choice(sections, size=peaks, replace=False)
    profile[where] = 0.95 * rng.dirichlet(np.full(peaks, 2.0))
    return profile + 0.05 * rng.dirichlet(np.ones(sections))


def again(rng: np.random.Generator, profile: np.ndarray) -> np.ndarray:
    """Measure a profile a second time: 10 % off at each section."""
    return shares(profile * np.exp(0.1 * rng.normal(size=len(profile))))


def attributions(rng: np.random.Generator, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Return attributions of known quality, and some that should not get much."""
    sections = len(truth)
    elsewhere = draw_reference(rng, sections, int((truth > 0.02).sum()))
    found = {f"q={q}": q * truth + (1 - q) * elsewhere for q in QUALITIES}
    found["largest peak alone"] = np.where(truth == truth.max(), 1.0, 0.0)
    found["without the largest"] = np.where(truth == truth.max(), 0.0, truth)
    found["one section late"] = np.roll(truth, 1)
    found["right order, flat"] = (np.argsort(np.argsort(truth)) + 1.0) ** 0.25
    found["plus a constant"] = truth + 1.0
    found["random"] = rng.dirichlet(np.ones(sections))
    return found


def study(measure: Measure, sections: int, peaks: int) -> dict[str, object]:
    """Judge a score on references of one shape."""
    rng = np.random.default_rng([sections, peaks])
    skills: dict[str, list[float]] = {}
    ordered, rooms = [], []
    for _ in range(DRAWS):
        truth = draw_reference(rng, sections, peaks)
        ceiling = measure(again(rng, truth), truth)
        nulls = [measure(null(sections), truth) for null in ANALYTIC.values()]
        best = max(*nulls, expected_random(measure, truth))
        rooms.append(ceiling - best)
        given = attributions(rng, truth)
        values = {name: measure(a, truth) for name, a in given.items()}
        steps = np.diff([values[f"q={q}"] for q in QUALITIES])
        ordered.append((steps > 0).mean())
        for name, value in values.items():
            room = ceiling - best
            skills.setdefault(name, []).append(
                (value - best) / room if room else -np.inf
            )
    summary = {
        "ordered": np.mean(ordered),
        "room": np.mean(rooms),
        "room < .3": np.mean(np.array(rooms) < 0.3),
        "random, lowest 5 %": np.quantile(skills["random"], 0.05),
    }
    names = [name for name in skills if name != "random"]
    return summary | {name: np.median(skills[name]) for name in names}


def expected_random(measure: Measure, truth: np.ndarray) -> float:
    """Return what a random attribution is expected to score."""
    if measure is MEASURES["overlap"]:
        return float(random_overlap(truth))
    rng = np.random.default_rng(0)
    draws = rng.dirichlet(np.ones(len(truth)), size=100)
    return float(np.mean([measure(draw, truth) for draw in draws]))


def main() -> None:
    """Print a table for each shape of reference."""
    for sections, peaks in SHAPES:
        rows = [
            {"score": name} | study(measure, sections, peaks)
            for name, measure in MEASURES.items()
        ]
        print(f"\n{sections} sections, {peaks} peaks", flush=True)
        print(tabulate(rows, headers="keys", floatfmt=".2f"))


if __name__ == "__main__":
    main()
