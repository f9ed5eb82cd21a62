"""A group that imports a command when it is called, not when help is printed."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from bench.errors import UnknownNameError


@dataclass(frozen=True)
class Command:
    """Where a command is, and its line in the help."""

    name: str
    attribute: str
    """Function or Typer group in the module of the command's name."""
    summary: str

    def load(self) -> Any:
        """Import the command."""
        found = getattr(import_module(f"bench.cli.{self.name}"), self.attribute)
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        alone = plain_typer()
        alone.command(self.name)(found)
        return typer.main.get_command(alone)


def plain_typer(**options: Any) -> typer.Typer:
    """Make a Typer application without completion, markup or its own tracebacks."""
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=True,
        **options,
    )


def lazy_group(commands: tuple[Command, ...]) -> type[TyperGroup]:
    """Make a group class of commands that are imported when called."""
    table = {command.name: command for command in commands}

    class LazyGroup(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return list(table)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in table:
                raise UnknownNameError("command", cmd_name, table)
            return table[cmd_name].load()

        def format_commands(self, ctx: Any, formatter: Any) -> None:
            with formatter.section("Commands"):
                formatter.write_dl([(c.name, c.summary) for c in commands])

    return LazyGroup
