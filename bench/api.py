"""The public surface for method authors: re-exports and nothing else."""

from bench.methods.context import TaskContext
from bench.methods.protocol import Method, method
from bench.models.attention import AttentionRules
from bench.models.backward_rules import BackwardRules
from bench.models.edits import (
    RowEdit,
    patch_state,
    patch_write,
    replace_state,
    replace_write,
)
from bench.models.trace import Trace
from bench.profiles.attribution import LayerAttribution

__all__ = [
    "AttentionRules",
    "BackwardRules",
    "LayerAttribution",
    "Method",
    "RowEdit",
    "TaskContext",
    "Trace",
    "method",
    "patch_state",
    "patch_write",
    "replace_state",
    "replace_write",
]
