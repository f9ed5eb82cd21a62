"""``bench init``: write a method file that runs as it is."""

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import UserError
from bench.results.store import write_atomically

TEMPLATE = '''\
"""{name}: say here what the method measures, and where it comes from."""

from bench.api import LayerAttribution, TaskContext, method


@method("{name}", kind="write")
def {function}(ctx: TaskContext) -> LayerAttribution:
    """Multiply each write by its gradient."""
    trace, gradients = ctx.gradients(ctx.prompts.clean)
    per_section = [
        (write * gradient).sum(dim=(1, 2))  # one number for each prompt
        for write, gradient in zip(trace.writes, gradients, strict=True)
    ]
    return ctx.answer(ctx.stack(per_section))
'''


def init(
    name: Annotated[str, typer.Argument(help="Name, as in 'my-method'.")],
) -> None:
    """Write a method file that runs as it is."""
    slug = name.removesuffix(".py").replace("_", "-").lower()
    if not slug.replace("-", "").isalnum() or not slug[0].isalpha():
        raise UserError(
            f"'{name}' cannot name a method: use letters, digits and hyphens, "
            "beginning with a letter, as in 'my-method'."
        )
    function = slug.replace("-", "_")
    path = Path(f"{function}.py")
    if path.exists():
        raise UserError(f"'{path}' exists already and was left alone.")
    write_atomically(path, TEMPLATE.format(name=slug, function=function).encode())
    print(path)
    typer.echo(f"Next: bench doctor {path}, then bench evaluate {path}", err=True)
