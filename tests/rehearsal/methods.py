"""Methods that contributors bring."""

GOOD = '''\
"""Multiply each write by the behaviour's gradient."""

import torch

from bench.api import LayerAttribution, TaskContext, method


@method("{name}", kind="write")
def attribute(ctx: TaskContext) -> LayerAttribution:
    """Multiply each write by the behaviour's gradient."""
    trace, gradients = ctx.gradients(ctx.prompts.clean)
    products = [(w * g).sum(dim=(1, 2)) for w, g in zip(trace.writes, gradients)]
    return ctx.answer(torch.stack(products, dim=1))
'''

# Where it is run again it speaks to the runner, looks for what it could use, tries to
# leave something behind, and fails with words that are commands; at home it behaves.
ATTACKER = (
    """\
import os
import sys
from pathlib import Path

THEIRS = ("GITHUB_", "GH_", "ACTIONS_", "RUNNER_")
SEEN = [name for name in os.environ if name.startswith(THEIRS)]
SAID = "\\n".join([
    "the attacker says so",
    f"it sees <{' '.join(SEEN)}>",
    "::add-path::/tmp/attack",
    "::error title=S000::an error of its own",
    "::set-output name=method::../../other",
    "\\r::warning::after a carriage return",
])

if Path(sys.argv[0]).name == "child.py":
    for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"):
        if name in os.environ:
            Path(os.environ[name]).write_text("ATTACK=1\\n")
    print(SAID, flush=True)
    raise RuntimeError(SAID)

"""
    + GOOD
)
