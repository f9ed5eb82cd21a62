"""What a method is.

@method("my-method", kind="write")
def my_method(ctx: TaskContext) -> LayerAttribution: ...
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from bench.errors import MethodError
from bench.methods.context import TaskContext
from bench.profiles.attribution import KINDS, Kind, LayerAttribution

MethodFunction = Callable[[TaskContext], LayerAttribution]


@dataclass(frozen=True)
class Method:
    """A named function from a task context to a layer attribution."""

    name: str
    kind: Kind
    function: MethodFunction
    summary: str
    cost: str = ""
    """In forward (F) and backward (B) passes through the blocks, as said of the method.

    Unembeddings are told apart: the behaviour is measured without any.
    """
    oracle: bool = False
    """Whether it repeats the reference's own measurement: shown and not ranked."""

    def __call__(self, ctx: TaskContext) -> LayerAttribution:
        """Run the method."""
        return self.function(ctx)


def method(
    name: str, *, kind: Kind, cost: str = "", oracle: bool = False
) -> Callable[[MethodFunction], Method]:
    """Declare a function to be a method.

    Args:
        name: At most 64 lower-case letters, digits and hyphens, no hyphen first.
        kind: ``write`` if the answer speaks of what each section adds, ``state`` if it
            speaks of the residual after each section.
        cost: What it costs in forward (F) and backward (B) passes through the blocks
            over all prompts, S the number of sections, as in ``2 F + 1 B``.
        oracle: Whether the method repeats the reference's own measurement. Oracles
            are shown and not ranked.

    Raises:
        MethodError: The name or the kind is not allowed.
    """
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,63}", name):
        raise MethodError(
            f"'{name}' cannot name a method: use at most 64 lower-case letters, digits "
            "and hyphens, no hyphen first, as in 'my-method'."
        )
    if kind not in KINDS:
        raise MethodError(
            f"Method '{name}' has kind '{kind}'; expected one of {', '.join(KINDS)}."
        )

    def declare(function: MethodFunction) -> Method:
        lines = (function.__doc__ or "").strip().splitlines()
        summary = lines[0] if lines else ""
        return Method(name, kind, function, summary, cost=cost, oracle=oracle)

    return declare
