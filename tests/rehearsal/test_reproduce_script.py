"""What a method prints on its way to the log and the summary."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.rehearsal.runner import told

SCRIPT = Path(__file__).resolve().parents[2] / ".github" / "reproduce.sh"
PRINTED = "::add-path::/tmp\\n::stop-commands::x\\n::x::\\n::error::mine\\n```\\n<b>\\n"


def run(folder: Path, *, method: str = "my-method", code: int = 0) -> tuple[int, str]:
    """Run the script with a ``bench`` that prints what an attacker would."""
    program = folder / "bench"
    program.write_text(
        f"#!/bin/bash\nprintf '{PRINTED}'\nprintf '%s\\n' \"$@\" > {folder}/words\n"
        f"exit {code}\n"
    )
    program.chmod(0o755)
    done = subprocess.run(
        [SCRIPT, "data", "trusted", method, "0" * 40, "record.json"],
        env={
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_the_runner_hears_no_command_of_a_method(tmp_path: Path) -> None:
    """All of it is printed, and none of it obeyed."""
    _, printed = run(tmp_path)
    assert "::add-path::/tmp" in printed
    assert list(told(printed)) == []
    assert list(told("::error::heard\n" + printed + "::error::again\n")) == [
        ("error", "::heard"),
        ("error", "::again"),
    ]


def test_the_summary_holds_one_block_of_code(tmp_path: Path) -> None:
    """Every line that was printed is indented: no markup is left."""
    run(tmp_path)
    title, empty, *lines = (tmp_path / "summary").read_text().splitlines()
    assert (title, empty) == ("## Reproduction", "")
    assert len(lines) == PRINTED.count("\\n")
    assert all(line.startswith("    ") for line in lines)


@pytest.mark.parametrize("code", [0, 3])
def test_the_verdict_is_passed_on(tmp_path: Path, code: int) -> None:
    """A refused method fails the step."""
    assert run(tmp_path, code=code)[0] == code


def test_the_method_runs_in_the_container_of_the_trusted_tree(tmp_path: Path) -> None:
    """Submission from the data, runner and tasks from the trusted checkout."""
    run(tmp_path)
    words = (tmp_path / "words").read_text().splitlines()
    assert words[:2] == ["reproduce", "data/submissions/my-method"]
    assert words[words.index("--runner") + 1] == "trusted/.github/run-in-container.sh"
    assert words[words.index("--root") + 1] == "trusted"


@pytest.mark.parametrize("method", ["../other", "a b", "", "A", "-x", "a\nb"])
def test_other_names_are_refused(tmp_path: Path, method: str) -> None:
    """What becomes a path is looked at again."""
    code, printed = run(tmp_path, method=method)
    assert code == 2
    assert "a method is named by lower-case letters" in printed
    assert not (tmp_path / "words").exists()
