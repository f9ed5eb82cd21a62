"""Top-k recall: how many of the main sections an attribution ranks first."""

import numpy as np
from jaxtyping import Float

from bench.scores.score import Score, ScoreSpec
from bench.scores.shares import shares, why_undefined

HELD = 0.8
"""The main sections are the fewest that hold this share of the reference, and all that
are as large as the last of them."""

TOP_K_RECALL = ScoreSpec(
    name="top_k_recall",
    better="higher",
    lowest=0.0,
    highest=1.0,
    unit="share",
    meaning="share of the reference's main sections among the method's first k",
)


def main_sections(reference: Float[np.ndarray, " S"]) -> tuple[int, ...]:
    """Return the fewest sections that hold 80 % of the reference, largest first.

    With them all that are as large as the last: otherwise the order of equal sections
    would say which are wanted, and the reference itself would not recall them all.
    """
    held = shares(reference)
    order = np.argsort(-held, kind="stable")
    # a sum that should be exactly 0.8 may fall short by a rounding error
    last = order[np.searchsorted(np.cumsum(held[order]), HELD - 1e-9)]
    count = (held >= held[last]).sum()
    return tuple(order[:count].tolist())


def top_k_recall(
    attribution: Float[np.ndarray, " S"], reference: Float[np.ndarray, " S"]
) -> Score:
    """Return the expected recall of the main sections under random order of ties.

    With k main sections: those ranked strictly above the k-th value count fully, those
    tied with it by the chance to be drawn into the remaining places.
    """
    missing = why_undefined(attribution, reference)
    if missing is not None:
        return missing
    wanted = list(main_sections(reference))
    k = len(wanted)
    threshold = np.sort(attribution)[-k]
    above = attribution > threshold
    tied = attribution == threshold
    chance = (k - above.sum()) / tied.sum()
    found = above[wanted].sum() + chance * tied[wanted].sum()
    return Score(float(found / k))
