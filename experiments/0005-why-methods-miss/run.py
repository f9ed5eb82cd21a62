"""Look into models for the reasons why methods miss the previous-token section."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from bench.cli.trusted import read_trusted
from bench.evaluation.contexts import OpenedTask
from bench.methods.context import TaskContext
from bench.models.attention import observed_heads
from bench.models.edits import Edit, replace_write
from bench.models.run import run
from bench.models.trace import Trace
from bench.results.reference_record import read_reference
from bench.scores.shares import shares
from bench.submissions.manifest import FOLDER
from bench.submissions.validation import validate_submission
from bench.tasks.planted import draw_placement
from bench.tasks.registry import data_root, find_task
from bench.tasks.spec import Task

TASKS = [
    f"induction/{kind}-{name}"
    for kind in ("planted", "small")
    for name in ("gpt2", "llama", "gemma2")
]


def circuit(task: Task) -> tuple[int, int]:
    """Return the previous-token and the induction section.

    Of a trained model: the section of largest gain, and the attention section before it
    of largest composition.
    """
    recipe = task.spec.model.planted
    if recipe is not None:
        placed = draw_placement(recipe, blocks=task.spec.model.blocks)
        return placed.previous, placed.induction[0]
    reference = read_reference(task, root=data_root()).promptwise
    gain, lost = (reference.profile(p) for p in ("emergence", "composition"))
    attention = np.arange(0, len(gain), 2)
    induction = int(attention[np.argmax(gain[attention])])
    before = attention[attention < induction]
    return int(before[np.argmax(lost[before])]), induction


def effect(
    ctx: TaskContext,
    clean: Trace,
    corrupt: Trace,
    restored: Mapping[int, Edit],
    *,
    sources: bool,
) -> tuple[float, float]:
    """Restore writes, and sources' embeddings, in the corrupt run.

    Returns:
        The share of the behaviour that comes back, and the attention of the section's
        best head from copy sites to sources, in every block's order of depth.
    """
    mask = ctx.prompts.source_mask.bool()
    start = corrupt.embeddings
    if sources:
        start = torch.where(mask, clean.embeddings, start)
    with torch.no_grad(), observed_heads(ctx.subject) as heads:
        trace = run(ctx.subject, ctx.prompts.corrupt, embeddings=start, edits=restored)
    gained = (ctx.metric_of(trace) - ctx.metric_of(corrupt)).mean()
    rows = torch.arange(len(ctx.prompts))[:, None]
    reads = [
        head.pattern[rows, :, ctx.prompts.sites, ctx.prompts.sources].mean(dim=(0, 1))
        for head in heads
    ]
    share = float(gained / ctx.gap(clean, corrupt))
    return share, [float(read.max()) for read in reads]  # type: ignore[return-value]


def look(task_id: str) -> dict[str, object]:
    """Restore the circuit's parts one by one, and together."""
    task = find_task(task_id, root=data_root())
    ctx = OpenedTask(task, "cpu", 0).context(lambda _done, _total: None)
    previous, induction = circuit(task)
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    own = {previous: replace_write(clean.writes[previous])}
    cases = {
        "nothing": ({}, False),
        "previous-token write": (own, False),
        "sources' embeddings": ({}, True),
        "both": (own, True),
        "induction write": (
            {induction: replace_write(clean.writes[induction])},
            False,
        ),
    }
    found: dict[str, object] = {"previous": previous, "induction": induction}
    for name, (edits, sources) in cases.items():
        share, reads = effect(ctx, clean, corrupt, edits, sources=sources)
        found[name] = {
            "behaviour": round(share, 3),
            "attention": round(reads[induction // 2], 3),
        }
    noised = {previous: replace_write(corrupt.writes[previous])}
    lost = ctx.metric_of(clean) - ctx.edited_metric(ctx.prompts.clean, noised)
    found["taken from the clean run"] = round(
        float(lost.mean() / ctx.gap(clean, corrupt)), 3
    )
    found["closeness"] = closeness(ctx, clean, induction)
    return found


def closeness(ctx: TaskContext, clean: Trace, induction: int) -> dict[str, float]:
    """Compare lengths at the copy sites, as information flow routes do (1-norms)."""
    mask = ctx.prompts.site_mask[..., 0].bool()
    before, write, after = (
        x[mask].norm(p=1, dim=-1).mean()
        for x in (
            clean.point(induction),
            clean.writes[induction],
            clean.states[induction],
        )
    )
    return {
        "state before": round(float(before), 2),
        "write": round(float(write), 2),
        "state after": round(float(after), 2),
    }


READERS = (
    "activation-patching-denoising",
    "activation-patching-noising",
    "logit-lens",
    "direct-logit-attribution",
)


def after_onset(task_id: str) -> dict[str, float]:
    """Say which share of emergence, and of stored answers, lies behind the onset."""
    trusted = read_trusted(data_root())
    _, onset = circuit(trusted.tasks[task_id])
    found = {"reference": trusted.reference(task_id).promptwise.profile("emergence")}
    for name in READERS:
        checked = validate_submission(data_root() / FOLDER / name, trusted)
        found[name] = checked.records[task_id].writes.values
    return {
        name: round(float(shares(values)[onset + 1 :].sum()), 2)
        for name, values in found.items()
    }


def main() -> None:
    """Look at every task and store what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    found = {task: look(task) | {"after onset": after_onset(task)} for task in TASKS}
    text = json.dumps(found, indent=2)
    (arguments.out / "results.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
