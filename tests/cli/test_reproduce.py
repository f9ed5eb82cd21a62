"""What ``bench reproduce`` says and how it exits; no method is run here."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli import reproduce as command
from bench.profiles.promptwise import PROFILES
from bench.results.provenance import Provenance
from bench.results.reproduction_record import (
    Agreement,
    CircuitGrade,
    DisguiseGrade,
    Gate,
    Isolation,
    ReproductionRecord,
    TaskAgreement,
    read_reproduction,
)
from tests.cli.conftest import Ran

Bench = Callable[..., Ran]
COMMIT = "1" * 40


def circuit(skill: float | None, *, task: str | None = None) -> CircuitGrade:
    """Make a graded circuit."""
    return CircuitGrade(
        task=task,
        architecture="llama",
        blocks=8,
        redundant=False,
        overlap=dict.fromkeys(PROFILES, skill),
        skill=dict.fromkeys(PROFILES, skill),
    )


@pytest.fixture
def record(provenance: Provenance) -> ReproductionRecord:
    """A method that was reproduced."""
    same = Agreement(difference=0.0, tolerance=0.01)
    return ReproductionRecord(
        method="mine",
        digest="2" * 64,
        commit=COMMIT,
        verdict="reproduced",
        reasons=(),
        agreement={"t": TaskAgreement(values=same, per_prompt=None, untrained=None)},
        public=(circuit(0.5, task="induction/planted"),),
        fresh=(circuit(0.4), circuit(0.6)),
        disguised=(DisguiseGrade(task="t", plain=0.5, disguised=0.49, allowed=0.1),),
        gate=Gate(drop=0.0, allowed=0.05, p=1.0, level=0.01),
        isolation=Isolation(kind="namespaces", timeout_s=60.0, memory_gb=8.0),
        wall_s=12.0,
        provenance=provenance,
    )


@pytest.fixture
def verdict(
    record: ReproductionRecord, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Let every run come to this verdict."""

    def set_to(**changes: object) -> None:
        made = record.model_copy(update=changes)
        monkeypatch.setattr(command, "_run", lambda *_args, **_options: made)

    return set_to


def test_a_reproduced_method_exits_with_zero(
    bench: Bench, verdict: Callable[..., None], tmp_path: Path
) -> None:
    """The verdict can be read, and the record is written where it was asked for."""
    verdict()

    ran = bench("reproduce", "x", "--commit", COMMIT, "--out", "record.json")

    assert ran.code == 0
    assert ran.out.startswith("mine: reproduced\n")
    assert "mean skill on 2 fresh circuits 0.500 [" in ran.out
    assert "own file system, own processes, no network" in ran.out
    assert "agrees with its claims on 1 of 1 tasks" in ran.out
    found = read_reproduction(tmp_path / "record.json")
    assert found.fresh_skill.value == pytest.approx(0.5)


def test_a_refused_method_exits_with_three(
    bench: Bench, verdict: Callable[..., None]
) -> None:
    """With every reason, also where numbers are missing."""
    verdict(
        verdict="refused", reasons=("One.", "Two."), gate=None, fresh=(circuit(None),)
    )

    ran = bench("reproduce", "x", "--commit", COMMIT)

    assert ran.code == 3
    assert ran.out.startswith("mine: refused\n  One.\n  Two.\n")
    assert "undefined" in ran.out


def test_the_record_is_printed_as_json(
    bench: Bench, verdict: Callable[..., None]
) -> None:
    """One object and nothing else."""
    verdict()

    ran = bench("reproduce", "x", "--commit", COMMIT, "--json")

    assert json.loads(ran.out)["verdict"] == "reproduced"


def test_a_commit_has_to_be_a_full_one(bench: Bench) -> None:
    """A name could be moved."""
    ran = bench("reproduce", "x", "--commit", "main")

    assert ran.code == 2
    assert "'main' is not a commit: expected 40 hexadecimal digits" in ran.err


def test_without_a_repository_a_commit_has_to_be_given(bench: Bench) -> None:
    """The message says how."""
    ran = bench("reproduce", "x")

    assert ran.code == 2
    assert "is no git repository" in ran.err
    assert "--commit" in ran.err


def test_an_invalid_submission_is_not_run(bench: Bench, tmp_path: Path) -> None:
    """It is refused, and the message says where to read why."""
    (tmp_path / "mine").mkdir()

    ran = bench("reproduce", "mine", "--commit", COMMIT)

    assert ran.code == 3
    assert "See them with: bench validate mine" in ran.err


def test_without_torch_the_extra_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is imported that is not there."""
    monkeypatch.setattr(command, "find_spec", lambda _name: None)

    ran = bench("reproduce", "x", "--commit", COMMIT)

    assert ran.code == 2
    assert "induction-bench[run]" in ran.err
