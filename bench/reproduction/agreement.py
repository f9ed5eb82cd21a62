"""Does the method say again what it is claimed to have said?

Shapes: P prompts, S sections.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from bench.reproduction.request import Answer
from bench.results.attribution_record import AttributionRecord
from bench.results.reproduction_record import Agreement, TaskAgreement


def difference(
    claimed: Float[np.ndarray, "*shape"], found: Float[np.ndarray, "*shape"]
) -> float | None:
    """Return the largest difference, relative to the largest claimed value.

    None where nothing is claimed to matter and something was found to.
    """
    gap, scale = float(np.abs(found - claimed).max()), float(np.abs(claimed).max())
    if scale > 0.0:
        return gap / scale
    return 0.0 if gap == 0.0 else None


def agree(
    record: AttributionRecord,
    answer: Answer | None,
    untrained: Answer | None,
    *,
    tolerance: float,
) -> TaskAgreement:
    """Compare what is claimed on a task with what was answered now.

    Args:
        record: The claims.
        answer: The answer on the task; None if there is no usable one.
        untrained: The same on the untrained model.
        tolerance: The task's.
    """

    def compare(claimed: object, found: object) -> Agreement:
        same = claimed is not None and found is not None
        values = [np.array(each, dtype=float) for each in (claimed, found) if same]
        gap = difference(*values) if same and _one_shape(*values) else None
        return Agreement(difference=gap, tolerance=tolerance)

    now = Answer(error="none") if answer is None else answer
    null = None if untrained is None else untrained.values
    return TaskAgreement(
        values=compare(record.values, now.values),
        per_prompt=None
        if record.per_prompt is None
        else compare(record.per_prompt, now.per_prompt),
        untrained=None
        if record.untrained is None and null is None
        else compare(record.untrained, null),
    )


def _one_shape(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape


def disagreements(task: str, found: TaskAgreement) -> Iterator[str]:
    """Say what does not agree."""
    parts = {
        "values": found.values,
        "per_prompt": found.per_prompt,
        "values on the untrained model": found.untrained,
    }
    for name, part in parts.items():
        if part is None or part.holds:
            continue
        how = (
            "cannot be compared: there is none now, or none was claimed"
            if part.difference is None
            else f"differ from the claimed ones by {part.difference:.2%}"
        )
        yield f"'{task}': {name} {how} (tolerance {part.tolerance:.2%})."
