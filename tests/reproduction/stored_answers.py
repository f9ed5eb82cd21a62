"""A method that carries answers inside and looks at the model only to recognise it.

``STORED`` is filled in by the tests. What it does not know gets the answer of a
built-in method, or a constant.
"""

import hashlib

import numpy as np

from bench.api import LayerAttribution, TaskContext, method
from bench.methods.discovery import find_method

STORED: dict[str, list[float]] = {}
FALLBACK = ""


def digest(ctx: TaskContext) -> str:
    """Recognise a model by its embeddings."""
    weight = ctx.model.get_input_embeddings().get_parameter("weight")
    return hashlib.sha256(weight.numpy().tobytes()).hexdigest()


@method("stored-answers", kind="write")
def stored_answers(ctx: TaskContext) -> LayerAttribution:
    """Look the answer up."""
    values = STORED.get(digest(ctx))
    if values is not None:
        return LayerAttribution(values=np.array(values))
    if FALLBACK:
        return find_method(FALLBACK).method(ctx)
    return LayerAttribution(values=np.ones(ctx.n_sections))
