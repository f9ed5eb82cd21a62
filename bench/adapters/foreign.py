"""What adapters for other libraries' models share."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.protocol import Method, method
from bench.models.subject import SubjectModel
from bench.profiles.attribution import Kind, LayerAttribution

Foreign = Callable[[Any, TaskContext], Tensor]
"""Takes another library's model and the context; returns [prompts, sections]."""


def method_on(
    wrap: Callable[[SubjectModel], Any], name: str, function: Foreign, *, kind: Kind
) -> Method:
    """Make a method of a function that works on a model wrapped anew for each run."""
    answer = partial(_answer, wrap, function)
    answer.__doc__ = function.__doc__
    return method(name, kind=kind)(answer)


def _answer(
    wrap: Callable[[SubjectModel], Any], function: Foreign, ctx: TaskContext
) -> LayerAttribution:
    return ctx.answer(function(wrap(ctx.subject), ctx))
