import sys
from io import StringIO

import numpy as np
import pytest
from rich.table import Table
from rich.text import Text

from bench.cli import console
from bench.cli.console import columns, sparkline, table, write_out


class Terminal(StringIO):
    """A stdout that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stdout a terminal of 120 columns that knows colours."""
    found = Terminal()
    monkeypatch.setattr(sys, "stdout", found)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return found


def coloured() -> Table:
    """Make a table with one coloured cell."""
    made = table("name", "value")
    made.add_row("[red]not markup[/red]", Text("0.70", style="green"))
    return made


def test_sparkline_by_hand() -> None:
    """Nothing and less are the lowest level, the peak is the highest."""
    assert sparkline(np.array([0.0, -3.0, 1.0, 2.0, 7.0])) == "▁▁▂▃█"
    assert sparkline(np.zeros(3)) == "▁▁▁"
    assert sparkline(np.array([np.nan, 1.0])) == "▁█"


def test_sparkline_of_a_deep_model() -> None:
    """A peak is kept, however many sections share a character."""
    for peak in range(0, 192, 7):
        drawn = sparkline(np.eye(192)[peak])
        assert len(drawn) == console.MOST_TICKS
        assert drawn.index("█") == peak // 4


def test_terminals_get_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours are for people."""
    terminal = use_terminal(monkeypatch)
    write_out(coloured())

    assert "\x1b[32m0.70" in terminal.getvalue()


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://no-color.org."""
    terminal = use_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    write_out(coloured())

    assert "[32m" not in terminal.getvalue()
    assert "0.70" in terminal.getvalue()


def test_pipes_get_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    """No escape sequence, no wrapped line, no trailing space, no markup."""
    write_out(coloured(), "a sentence " * 30)
    text = capsys.readouterr().out

    assert "\x1b" not in text
    assert "[red]not markup[/red]   0.70\n" in text
    assert ("a sentence " * 30).strip() in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal may be narrow, a pipe never is."""
    use_terminal(monkeypatch)
    assert columns() == 120
    monkeypatch.setenv("COLUMNS", "80")
    assert columns() == 80
    monkeypatch.setattr(sys, "stdout", StringIO())
    assert columns() == console.PLAIN_WIDTH


def test_emoji_codes_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A path may hold what looks like one."""
    write_out("/data/:key:/x")

    assert capsys.readouterr().out == "/data/:key:/x\n"
