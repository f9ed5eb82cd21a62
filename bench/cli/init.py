"""``bench init``: write a method file that runs as it is."""

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.trusted import built_in_names
from bench.errors import UserError
from bench.results.store import write_atomically

TEMPLATE = '''\
"""{name}: say here what the method measures, and where it comes from."""

import torch

from bench.api import LayerAttribution, TaskContext, method


@method("{name}", kind="write")
def {function}(ctx: TaskContext) -> LayerAttribution:
    """Multiply each write by its gradient."""
    trace, gradients = ctx.gradients(ctx.prompts.clean)
    per_section = [
        (write * gradient).sum(dim=(1, 2))  # one number for each prompt
        for write, gradient in zip(trace.writes, gradients, strict=True)
    ]
    return ctx.answer(torch.stack(per_section, dim=1))
'''


def init(
    name: Annotated[str, typer.Argument(help="Name, as in 'my-method'.")],
) -> None:
    """Write a method file that runs as it is."""
    slug = name.removesuffix(".py").replace("_", "-").lower()
    function = slug.replace("-", "_")
    taken = keyword.iskeyword(function) or function in ("torch", "method")
    if not re.fullmatch("[a-z][a-z0-9-]{0,63}", slug) or taken:
        raise UserError(
            f"'{name}' cannot name a method: use letters, digits and hyphens, "
            "beginning with a letter, and no word of Python's, as in 'my-method'."
        )
    if slug in built_in_names():
        raise UserError(f"'{slug}' is the name of a built-in method. Choose another.")
    path = Path(f"{function}.py")
    if path.exists():
        raise UserError(f"'{path}' exists already and was left alone.")
    write_atomically(path, TEMPLATE.format(name=slug, function=function).encode())
    print(path)
    typer.echo(f"Next: bench doctor {path}, then bench evaluate {path}", err=True)
