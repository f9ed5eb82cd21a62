"""The public surface for method authors: re-exports and nothing else."""

from bench.methods.protocol import Method, TaskContext, method
from bench.models.trace import (
    Trace,
    patch_state,
    patch_write,
    replace_write,
)
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
