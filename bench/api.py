"""The public surface for method authors: re-exports and nothing else."""

from bench.methods.context import TaskContext
from bench.methods.protocol import Method, method
from bench.models.edits import patch_state, patch_write, replace_write
from bench.models.trace import Trace
from bench.profiles.attribution import LayerAttribution

__all__ = [
    "LayerAttribution",
    "Method",
    "TaskContext",
    "Trace",
    "method",
    "patch_state",
    "patch_write",
    "replace_write",
]
