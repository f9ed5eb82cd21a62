"""Progress on stderr."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

Report = Callable[[int, int], None]
"""(done, total) of a stage."""
Stage = Callable[[str], Report]
"""Announce a stage; returns its report."""


@contextmanager
def progress_display() -> Generator[Callable[[str], Stage], None, None]:
    """Show progress bars; yields a function from a title to that title's stages."""
    columns = (
        # the numbers stay whole on a narrow terminal, the title and the bar give way
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True)),
        BarColumn(bar_width=12),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def finish() -> None:
            """Fill the bars of stages that ended without having reported."""
            for bar in progress.tasks:
                progress.update(bar.id, completed=bar.total or 1)

        def titled(title: str) -> Stage:
            def stage(name: str) -> Report:
                finish()
                bar = progress.add_task(f"{title}: {name}", total=1)

                def report(done: int, total: int) -> None:
                    progress.update(bar, completed=done, total=total)

                return report

            return stage

        yield titled
        finish()
