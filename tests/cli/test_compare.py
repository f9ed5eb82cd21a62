import json
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

Bench = Callable[..., Any]


@pytest.fixture
def two(
    submit: Callable[..., Path], write_results: Callable[..., Path]
) -> tuple[Path, Path]:
    """A sharp method in results, a flat one among the submissions."""
    packed = submit("flat", flat=0.5)
    sharp = write_results("sharp")
    rmtree(sharp.with_name("flat"))
    return sharp, packed


def test_says_who_is_ahead(bench: Bench, two: tuple[Path, Path]) -> None:
    """Both attributions, the profiles, differences and three sentences."""
    ran = bench("compare", "sharp", two[1])

    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].split() == ["over", "depth", "sharp", "flat", "difference"]
    assert [line.split()[0] for line in lines[2:7]] == [
        "induction/early",
        "sharp",
        "flat",
        "emergence",
        "composition",
    ]
    assert lines[-3].startswith("Mean skill: sharp 0.")
    assert "by sign flips on 2: these tasks cannot tell them apart." in lines[-2]
    assert lines[-1].startswith("With other prompts of these tasks [0.")
    assert lines[-1].endswith(": sharp is ahead.")


def test_order_turns_the_sign(bench: Bench, two: tuple[Path, Path]) -> None:
    """The same, seen from the other side."""
    one = json.loads(bench("compare", "sharp", two[1], "--json").out)
    other = json.loads(bench("compare", two[1], "sharp", "--json").out)

    assert one["methods"] == ["sharp", "flat"]
    assert other["methods"] == ["flat", "sharp"]
    assert one["difference"] == -other["difference"]
    assert one["interval"] == [-bound for bound in other["interval"][::-1]]
    assert one["p_value"] == other["p_value"] == 0.5
    assert one["apart_here"] is other["apart_here"] is True
    assert one["mean_skills"] == other["mean_skills"][::-1]


def test_skills_are_those_of_score(bench: Bench, two: tuple[Path, Path]) -> None:
    """The same numbers as of each alone."""
    compared = json.loads(bench("compare", "sharp", two[1], "--json").out)
    scored = json.loads(bench("score", two[0], "--json").out)

    assert compared["mean_skills"][0] == scored["mean_skill"]
    assert compared["tasks"] == [task["task"] for task in scored["tasks"]]


def test_names_are_looked_up(
    bench: Bench, two: tuple[Path, Path], repository: Path
) -> None:
    """Names of submissions are enough, and what is not there is named."""
    assert bench("compare", "flat", "flat", "--json").code == 0
    ran = bench("compare", "flat", "flatt")

    assert ran.code == 2
    assert ran.err.startswith(
        "No stored method is called 'flatt'. Did you mean 'flat'?"
    )


@pytest.mark.parametrize("name", ["", ".", "no/such/folder", "x" * 300, "results"])
def test_what_is_no_method(name: str, bench: Bench, two: tuple[Path, Path]) -> None:
    """What holds nothing of a method is answered with what there is."""
    ran = bench("compare", name, "sharp")

    assert ran.code == 2
    assert ran.err.startswith(f"No stored method is called '{name}'.")
    assert "Known: flat, sharp." in ran.err


def test_a_folder_called_like_a_method_hides_none(
    bench: Bench, two: tuple[Path, Path], tmp_path: Path
) -> None:
    """Names are looked up in results and submissions alone."""
    (tmp_path / "sharp").mkdir()

    assert bench("compare", "sharp", "flat").code == 0


def test_one_method_in_two_places(
    bench: Bench, two: tuple[Path, Path], write_results: Callable[..., Path]
) -> None:
    """Own results against the stored submission are called as they were named."""
    write_results("flat")
    ran = bench("compare", "flat", two[1], "--json")

    assert json.loads(ran.out)["methods"] == ["flat", str(two[1])]


def test_results_of_two_methods(
    bench: Bench, two: tuple[Path, Path], write_results: Callable[..., Path]
) -> None:
    """A folder is that of one method."""
    other = write_results("other") / "induction" / "late.json"
    other.replace(two[0] / "induction" / "late.json")
    ran = bench("compare", "sharp", "flat")

    assert ran.code == 2
    assert "holds results of 2 methods (other, sharp); expected one." in ran.err


def test_wrong_number_of_sections(
    bench: Bench, two: tuple[Path, Path], edit_json: Callable[..., None]
) -> None:
    """Numbers that are not one for each section are named, not compared."""
    stored = two[0] / "induction" / "late.json"
    edit_json(stored, lambda r: r.update(values=[1.0], control=None, untrained=None))
    for command in (["compare", "sharp", "flat"], ["score", two[0]]):
        ran = bench(*command)
        assert ran.code == 2
        assert ran.err == (
            "The attribution of 'sharp' on 'induction/late' has 1 values; expected 16, "
            "one number for each section. Evaluate the method again.\n"
        )


def test_tasks_of_one_alone_are_left_out(bench: Bench, two: tuple[Path, Path]) -> None:
    """What both were run on is compared, the rest is named."""
    (two[0] / "induction" / "late.json").unlink()
    ran = bench("compare", "sharp", "flat")

    assert ran.code == 0
    assert ran.err == "Left out, run by one alone: induction/late\n"
    assert "induction/late" not in ran.out


def test_nothing_in_common(bench: Bench, two: tuple[Path, Path]) -> None:
    """Without a common task there is nothing to compare."""
    (two[0] / "induction" / "late.json").unlink()
    (two[1] / "induction-early.json").unlink()
    ran = bench("compare", "sharp", "flat")

    assert ran.code == 2
    assert ran.err == (
        "'sharp' and 'flat' have no task in common: the first was run on "
        "induction/early, the second on induction/late.\n"
    )


def test_undefined_is_said(
    bench: Bench, write_results: Callable[..., Path], two: tuple[Path, Path]
) -> None:
    """Who finds nothing is behind nobody."""
    negative = {"induction/early": [-1.0] * 12, "induction/late": [-1.0] * 16}
    write_results("nothing", values=negative)
    ran = bench("compare", "sharp", "nothing")

    assert ran.code == 0
    reason = "induction/early, emergence: the attribution is nowhere positive"
    assert ran.out.endswith(f"No difference of mean skills: undefined ({reason}).\n")
    document = json.loads(bench("compare", "sharp", "nothing", "--json").out)
    assert document["difference"] is None
    assert document["undefined"] == [reason]
    plain = json.loads(bench("compare", "sharp", two[1], "--json").out)
    assert document.keys() == plain.keys()


def test_pending_reference(
    bench: Bench, two: tuple[Path, Path], repository: Path
) -> None:
    """A task whose reference is not there cannot be compared on."""
    (repository / "reference_results" / "induction" / "late.json").unlink()
    ran = bench("compare", "sharp", "flat")

    assert ran.code == 2
    assert "bench reference compute induction/late" in ran.err
