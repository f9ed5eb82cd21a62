import ast
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.cli import display, evaluate, options, reference, scored
from bench.cli.published import PUBLISHED
from bench.errors import MethodFailedError, UserError
from bench.evaluation import parts as parts_module
from bench.evaluation import units
from bench.evaluation.contexts import OpenedTask
from bench.evaluation.keys import method_key
from bench.evaluation.parts import PARTS, Part
from bench.evaluation.reference import StoredReference
from bench.methods.catalogue import built_in
from bench.profiles.promptwise import PROFILES
from bench.profiles.sections import section_names
from bench.results.attribution_record import AttributionRecord, task_key
from bench.results.provenance import Provenance
from bench.results.store import arrays_to_bytes, to_json
from bench.results.trusted import Trusted
from bench.tasks.registry import PACKAGE
from bench.tasks.spec import read_task

EARLY, LATE = "induction/early", "induction/late"

Bench = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("few_resamples")


def test_list_tasks(bench: Bench) -> None:
    """Tasks are listed with version and number of sections."""
    ran = bench("list", "tasks")
    lines = [line.split() for line in ran.out.splitlines()]
    assert ran.code == 0
    assert lines[2][:3] == [EARLY, "1", "12"]
    assert lines[3][:3] == [LATE, "1", "16"]

    rows = json.loads(bench("list", "tasks", "--json").out)
    assert rows[1] == {
        "task": LATE,
        "version": 1,
        "sections": 16,
        "reference": "stored",
        "summary": "A synthetic task.",
    }


def test_list_methods(bench: Bench) -> None:
    """Built-in methods are listed from the catalogue."""
    rows = json.loads(bench("list", "methods", "--json").out)

    assert [row["method"] for row in rows] == list(built_in())
    assert "eap-ig" in bench("list", "methods").out


def test_list_suites(bench: Bench) -> None:
    """Suites are listed with version and tasks."""
    rows = json.loads(bench("list", "suites", "--json").out)

    assert [(row["suite"], row["version"], row["tasks"]) for row in rows] == [
        ("core", "1.0", f"{EARLY}, {LATE}"),
        ("half", "2.1", EARLY),
    ]


def test_suites_that_cannot_be_read(bench: Bench, repository: Path) -> None:
    """A broken file of suites is named."""
    path = repository / "tasks" / "suites.toml"
    path.write_text("[core")

    ran = bench("list", "suites")
    assert ran.code == 2
    assert ran.err.startswith(f"The suites in '{path}' cannot be read:")


def test_show(bench: Bench, repository: Path) -> None:
    """A task is shown with model, sections, and whether its reference is there."""
    ran = bench("show", EARLY)
    shown = dict(line.split(None, 1) for line in ran.out.splitlines())
    assert ran.code == 0
    assert shown["model"] == "early (llama, 6 blocks)"
    assert shown["sections"] == "12"
    assert shown["reference"].split() in (
        ["protocol", "relative-response-2"],
        ["stored"],
    )
    assert ran.out.splitlines()[-2].split() == ["reference", "stored"]

    (repository / "reference_results" / f"{EARLY}.json").unlink()
    assert "pending" in bench("show", EARLY).out
    assert json.loads(bench("show", EARLY, "--json").out)["name"] == "early"


def test_show_by_file(bench: Bench, repository: Path) -> None:
    """A task may be named by its file."""
    ran = bench("show", repository / "tasks" / LATE / "task.toml")

    assert ran.code == 0
    assert LATE in ran.out


@pytest.mark.parametrize(
    "line",
    [
        ["show", "induction/earli"],
        ["evaluate", "eap-ig", "--task", "induction/earli"],
        ["reference", "show", "induction/earli"],
        ["prompts", "fresh", "induction/earli", "--seed", "1", "--out", "x"],
    ],
    ids=lambda line: line[0],
)
def test_unknown_task(line: list[str], bench: Bench) -> None:
    """Each command answers a misspelt task with the near one."""
    ran = bench(*line)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(
        "No task is called 'induction/earli'. Did you mean 'induction/early'?"
    )


def test_unknown_suite(bench: Bench, write_results: Callable[..., Path]) -> None:
    """Each command answers a misspelt suite with the near one."""
    results = write_results()
    for line in (
        ["evaluate", "eap-ig"],
        ["score", results],
        ["submit", "my-method", "--results", results],
    ):
        ran = bench(*line, "--suite", "cora")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("No suite is called 'cora'. Did you mean 'core'?")


@pytest.mark.parametrize("command", ["evaluate", "doctor"])
def test_unknown_method(command: str, bench: Bench) -> None:
    """A misspelt method is answered with the near one."""
    ran = bench(command, "eap-gi")

    assert ran.code == 2
    assert ran.err.startswith("No method is called 'eap-gi'. Did you mean 'eap-ig'?")


def test_score(bench: Bench, write_results: Callable[..., Path]) -> None:
    """Stored attributions are scored, printed, written and drawn."""
    results = write_results()
    ran = bench("score", results)

    assert ran.code == 0
    assert ran.out.splitlines()[-1].startswith("Mean skill 0.")
    assert EARLY in ran.out
    assert LATE in ran.out
    assert ran.err == f"Results, scores and plots are in {results}\n"
    for task in (EARLY, LATE):
        assert (results / f"{task}.png").read_bytes().startswith(b"\x89PNG")
    stored = json.loads((results / "scores.json").read_text())
    assert stored == json.loads(bench("score", results, "--json").out)


def test_summary(bench: Bench, write_results: Callable[..., Path]) -> None:
    """A line with the attribution, and below it one for each profile."""
    lines = bench("score", write_results()).out.splitlines()

    assert lines[0] == "my-method"
    assert lines[1].split() == ["over", "depth", "skill", "verdict"]
    assert [line.split()[0] for line in lines[3:9]] == [
        *(EARLY, *PROFILES),
        *(LATE, *PROFILES),
    ]
    assert len(lines[3].split()[1]) == 12
    assert len(lines[6].split()[1]) == 16
    said = "sets in 4 sections early; finds attn 3, attn 4; too much on attn 1 (+0.25)"
    assert lines[4].endswith(said)  # it blends both profiles
    assert "wasserstein" not in "".join(lines)


@pytest.mark.parametrize("one_task", [True, False])
def test_details(
    one_task: bool, bench: Bench, write_results: Callable[..., Path]
) -> None:
    """On request, and for a single task, bars of all sections and every score."""
    results = write_results()
    if one_task:
        (results / f"{LATE}.json").unlink()
    ran = bench("score", results, *([] if one_task else ["--details"]))

    tasks = [EARLY] if one_task else [EARLY, LATE]
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines.count(["section", "my-method", *PROFILES]) == len(tasks)
    for task in tasks:
        assert [task, *PROFILES] in lines
    for section in section_names(6):
        assert sum(line[:2] == section.split() for line in lines) == len(tasks)
    assert sum(line[:2] == ["wasserstein", "(lower)"] for line in lines) == len(tasks)


def test_json_of_scores(bench: Bench, write_results: Callable[..., Path]) -> None:
    """One object on stdout, with the promised keys."""
    document = json.loads(bench("score", write_results(), "--json").out)

    assert (document["method"], document["suite"]) == ("my-method", "core")
    assert [task["task"] for task in document["tasks"]] == [EARLY, LATE]
    assert 0.0 < document["mean_skill"] < 1.0
    for task in document["tasks"]:
        assert task["status"] == "ok"
        assert task["cost_forward_equivalents"] == 3.0
        assert task["wall_s"] == 0.5
        for name in PROFILES:
            found = task["profiles"][name]
            assert len(found["interval"]) == 2
            assert set(found) >= {"overlap", "pearson", "skill"}


def test_score_of_something_undefined(
    bench: Bench, write_results: Callable[..., Path]
) -> None:
    """What is undefined is said with its reason, drawn without a line, and no zero."""
    negative = {EARLY: [-1.0] * 12, LATE: [-1.0] * 16}
    ran = bench("score", write_results(values=negative))

    assert ran.code == 0
    reason = "the attribution is nowhere positive"
    assert ran.out.count(f"n/a     undefined: {reason}\n") == 4
    assert ran.out.endswith(f"Mean skill: undefined ({EARLY}, emergence: {reason}).\n")
    assert "n/a" in ran.out


def test_score_without_matplotlib(
    bench: Bench, write_results: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the plots' part of the installation scores are all there is."""
    monkeypatch.setitem(sys.modules, "bench.plots.attribution_plot", None)
    results = write_results()
    ran = bench("score", results)

    assert ran.code == 0
    assert "No plots: they need 'induction-bench[run]' (matplotlib)." in ran.err
    assert not list(results.glob("*/*.png"))


def test_score_of_an_empty_folder(bench: Bench, tmp_path: Path) -> None:
    """A folder without results says how to make some."""
    ran = bench("score", tmp_path / "none")

    assert ran.code == 2
    assert ran.err == (
        f"'{tmp_path / 'none'}' holds no results (<family>/<task>.json). Make some "
        "with: bench evaluate METHOD\n"
    )


def test_score_of_an_old_result(
    bench: Bench, write_results: Callable[..., Path], edit_json: Callable[..., None]
) -> None:
    """A result on another version of the task is refused."""
    results = write_results()
    edit_json(results / f"{EARLY}.json", lambda r: r["task"].update(version=2))

    ran = bench("score", results)
    assert ran.code == 2
    assert ran.err.startswith("The attribution of 'my-method' was made on version 2")


@pytest.fixture
def outside(
    tmp_path: Path,
    repository: Path,
    trusted: Trusted,
    make_record: Callable[..., AttributionRecord],
    blend: Callable[..., np.ndarray],
) -> Path:
    """A task of nobody's repository, its reference beside it; results in ``mine``."""
    path = shutil.copytree(repository / "tasks" / EARLY, tmp_path / "own") / "task.toml"
    path.write_text(path.read_text().replace('name = "early"', 'name = "own"'))
    known = trusted.references[EARLY]
    record = known.record.model_copy(update={"task": task_key(read_task(path))})
    (path.parent / "reference.json").write_bytes(to_json(record))
    arrays = arrays_to_bytes(known.arrays)
    (path.parent / "reference.safetensors").write_bytes(arrays)
    answer = to_json(make_record(blend(EARLY), task=str(path)))
    (tmp_path / "mine" / "induction").mkdir(parents=True)
    (tmp_path / "mine" / "induction" / "own.json").write_bytes(answer)
    return path


def test_score_on_a_task_of_ones_own(
    bench: Bench, outside: Path, write_results: Callable[..., Path]
) -> None:
    """A task from outside is scored like one of the repository's, by its own file."""
    ran = bench("score", "mine", "--task", outside)
    assert ran.code == 0
    assert "induction/own" in ran.out
    assert ran.out.splitlines()[-1].startswith("Mean skill 0.")
    assert Path("mine/induction/own.png").is_file()

    document = json.loads(bench("score", "mine", "--task", outside, "--json").out)
    (own,) = document["tasks"]
    assert (own["task"], own["status"]) == ("induction/own", "ok")
    assert document["suite"] is None
    known = json.loads(bench("score", write_results(), "--json").out)["tasks"][0]
    assert known["task"] == EARLY
    for name in PROFILES:
        assert own["profiles"][name]["overlap"] == known["profiles"][name]["overlap"]


@pytest.mark.usefixtures("outside")
def test_score_on_a_task_that_was_not_named(bench: Bench) -> None:
    """Results on a task from outside need its file."""
    ran = bench("score", "mine")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("No task is called 'induction/own'.")


def test_score_without_a_reference_of_ones_own(bench: Bench, outside: Path) -> None:
    """Where the reference beside a task is missing, it says how to measure it."""
    path = outside.parent / "reference.json"
    path.unlink()
    ran = bench("score", "mine", "--task", outside)

    assert ran.code == 0
    assert ran.out == (
        "my-method\n"
        f"The reference of 'induction/own' is pending: '{path}' does not exist. "
        f"Measure it with: bench reference compute {outside}\n"
        "Mean skill: undefined (reference pending: induction/own).\n"
    )


def pending_of(repository: Path, task: str) -> str:
    """Take the reference of a task away, and return what is said of it."""
    path = repository / "reference_results" / f"{task}.json"
    path.unlink()
    return (
        f"The reference of '{task}' is pending: '{path}' does not exist. Measure it "
        f"with: bench reference compute {task}"
    )


def test_score_without_a_reference(
    bench: Bench, write_results: Callable[..., Path], repository: Path
) -> None:
    """A task without a reference has no scores, the others have; that is no failure."""
    results = write_results()
    advice = pending_of(repository, EARLY)
    ran = bench("score", results)

    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[-2:] == [
        advice,
        f"Mean skill: undefined (reference pending: {EARLY}).",
    ]
    assert any(line.startswith(LATE) for line in lines)
    assert not (results / f"{EARLY}.png").exists()
    document = json.loads((results / "scores.json").read_text())
    assert {t["task"]: t["status"] for t in document["tasks"]} == {
        EARLY: "reference pending",
        LATE: "ok",
    }
    assert document["tasks"][-1]["advice"] == advice
    assert document["mean_skill"] is document["interval"] is None
    assert document["undefined"] == f"reference pending: {EARLY}"


@pytest.mark.usefixtures("fake_evaluation")
def test_evaluate_without_a_reference(
    bench: Bench, repository: Path, tmp_path: Path
) -> None:
    """A method runs on a task without a reference, and its answer is kept."""
    advice = pending_of(repository, LATE)
    ran = bench("evaluate", "eap-ig")
    assert ran.code == 0
    assert ran.out.splitlines()[-2:] == [
        advice,
        f"Mean skill: undefined (reference pending: {LATE}).",
    ]
    assert (tmp_path / "results" / "eap-ig" / f"{LATE}.json").is_file()

    ran = bench("evaluate", "eap-ig", "--task", LATE)
    assert ran.code == 0
    assert ran.out == (
        f"eap-ig\n{advice}\nMean skill: undefined (reference pending: {LATE}).\n"
    )


def test_evaluate_fails_before_it_is_pending(
    fake_evaluation: set[str], bench: Bench, repository: Path
) -> None:
    """A failure is worse than a pending reference, and both are said."""
    advice = pending_of(repository, LATE)
    fake_evaluation.add(EARLY)
    ran = bench("evaluate", "eap-ig")

    assert ran.code == 1
    assert ran.out == f"eap-ig\n{advice}\nMean skill: undefined (failed on {EARLY}).\n"
    document = json.loads(bench("evaluate", "eap-ig", "--json").out)
    assert {t["task"]: t["status"] for t in document["tasks"]} == {
        EARLY: "failed",
        LATE: "reference pending",
    }
    assert document["undefined"] == f"failed on {EARLY}"


def test_validate_text(bench: Bench, submit: Callable[..., Path]) -> None:
    """A valid submission is printed with its scores, problems with all they know."""
    folder = submit()
    ran = bench("validate", folder)
    assert ran.code == 0
    assert ran.out.startswith(f"{folder}: valid\n")
    assert EARLY in ran.out

    moved = folder.rename(folder.parent / "other")
    ran = bench("validate", moved)
    assert ran.code == 3
    assert ran.out == (
        f"S020 {moved}/submission.json#/method/name: folder and method have different "
        "names\n"
        "  expected: other\n"
        "  found:    my-method\n"
        "  fix:      Rename the folder to 'my-method'.\n"
    )


def test_validate_json(bench: Bench, submit: Callable[..., Path]) -> None:
    """Several submissions are one list, each with all of its problems."""
    good, bad = submit("good-one"), submit("bad-one")
    (bad / "run.py").write_text("")
    ran = bench("validate", good, bad, "--format", "json")

    assert ran.code == 3
    assert json.loads(ran.out) == [
        {"submission": str(good), "valid": True, "withdrawn": False, "problems": []},
        {
            "submission": str(bad),
            "valid": False,
            "withdrawn": False,
            "problems": [
                {
                    "code": "S002",
                    "file": "run.py",
                    "pointer": "",
                    "expected": "submission.json, README.md, method.py, .json and "
                    ".safetensors files",
                    "found": "another file",
                    "fix": "Remove it.",
                    "title": "unexpected file",
                }
            ],
        },
    ]


def test_validate_github(
    bench: Bench, submit: Callable[..., Path], edit_json: Callable[..., None]
) -> None:
    """Problems are workflow commands, and no text of a submission can be another."""
    folder = submit()
    assert bench("validate", folder, "--format", "github").out == ""

    hostile = "x%::stop-commands::y"
    edit_json(folder / "submission.json", lambda m: m["suite"].update(name=hostile))
    moved = folder.rename(folder.parent / "a,b:c")
    ran = bench("validate", moved, "--format", "github")
    lines = ran.out.splitlines()
    assert ran.code == 3
    assert [line.partition("::")[2].partition("title=")[2][:4] for line in lines] == [
        "S020",
        "S025",
    ]
    for line in lines:
        assert line.startswith("::error file=")
        file = line.removeprefix("::error file=").partition(",title")[0]
        assert file.endswith("a%2Cb%3Ac/submission.json")
    assert "found x%25::stop-commands::y 1.0." in lines[1]


def test_validate_needs_a_path(bench: Bench) -> None:
    """Nothing to validate is a usage error."""
    assert bench("validate").code == 2


def test_leaderboard(
    bench: Bench, submit: Callable[..., Path], repository: Path
) -> None:
    """Writing prints the files; checking passes until something changes."""
    submit()
    ran = bench("leaderboard")
    files = [repository / f"leaderboard.{kind}" for kind in ("md", "json", "csv")]
    assert (ran.code, ran.out) == (0, "".join(f"{file}\n" for file in files))
    ran = bench("leaderboard", "--check")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "The leaderboard is up to date.\n"

    files[0].write_text("edited")
    ran = bench("leaderboard", "--check")
    assert ran.code == 2
    assert ran.err == (
        "leaderboard.md do not show the present submissions and references. Write them "
        "anew with: bench leaderboard\n"
    )
    assert files[0].read_text() == "edited"


def test_leaderboard_with_an_invalid_submission(
    bench: Bench, submit: Callable[..., Path], repository: Path
) -> None:
    """Nothing is written while a submission has problems."""
    (submit() / "run.py").write_text("")
    ran = bench("leaderboard")

    assert ran.code == 3
    assert ran.err.startswith("The leaderboard needs valid submissions; my-method has")
    assert not (repository / "leaderboard.md").exists()


def test_schema(bench: Bench, tmp_path: Path) -> None:
    """A schema is printed by name, or all are written."""
    assert bench("schema", "--out", tmp_path / "out", root=False).code == 0
    for name in PUBLISHED:
        text = bench("schema", name, root=False).out
        assert (tmp_path / "out" / f"{name}.schema.json").read_text() == text
        assert json.loads(text)["type"] == "object"


@pytest.mark.parametrize("line", [["schema"], ["schema", "submision"]])
def test_unknown_schema(line: list[str], bench: Bench) -> None:
    """No name and a wrong name list the known ones."""
    ran = bench(*line, root=False)

    assert ran.code == 2
    assert "Known: attribution, erratum, leaderboard, ledger, " in ran.err


def test_env(bench: Bench) -> None:
    """The environment is one JSON object."""
    found = json.loads(bench("env", root=False).out)

    assert set(found) == {
        "bench",
        "git_commit",
        "git_dirty",
        "python",
        "platform",
        "packages",
    }
    assert found["packages"]["numpy"]


@pytest.mark.parametrize(
    "name", ["my-method", "My_Method", "my-method.py", "my_method"]
)
def test_init(name: str, bench: Bench, tmp_path: Path) -> None:
    """A method file is written, named like the method, and is Python."""
    ran = bench("init", name, root=False)

    assert (ran.code, ran.out) == (0, "my_method.py\n")
    assert ran.err.startswith("Next: bench doctor my_method.py")
    text = (tmp_path / "my_method.py").read_text()
    assert '@method("my-method", kind="write")' in text
    functions = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
    assert [function.name for function in functions] == ["my_method"]


def test_init_leaves_files_alone(bench: Bench, tmp_path: Path) -> None:
    """A file that is there is never written over."""
    (tmp_path / "my_method.py").write_text("mine")
    ran = bench("init", "my-method", root=False)

    assert ran.code == 2
    assert ran.err == "'my_method.py' exists already and was left alone.\n"
    assert (tmp_path / "my_method.py").read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    ["", "1st", "a b", "../x", "a.b", "é", "lambda", "torch", "method", "a" * 65],
)
def test_init_refuses_names(name: str, bench: Bench, tmp_path: Path) -> None:
    """A name that no method, function or file could have is refused."""
    before = set(tmp_path.iterdir())
    ran = bench("init", name, root=False)

    assert ran.code == 2
    assert ran.err.startswith(f"'{name}' cannot name a method: use letters,")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["relp", "depth-ramp"])
def test_init_refuses_built_in_names(name: str, bench: Bench) -> None:
    """A method of one's own cannot be submitted under such a name."""
    ran = bench("init", name, root=False)

    assert ran.code == 2
    assert ran.err == f"'{name}' is the name of a built-in method. Choose another.\n"


def test_a_built_in_name_is_refused_at_once(bench: Bench, tmp_path: Path) -> None:
    """Not only when the results are submitted."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from bench.api import method\n\n"
        '@method("relp", kind="write")\n'
        'def mine(ctx):\n    """Answer."""\n'
    )
    for command in ("doctor", "evaluate"):
        ran = bench(command, path, root=False)
        assert ran.code == 2
        assert "'mine.py' calls its method 'relp', which is the name of" in ran.err


def test_show_a_method(bench: Bench) -> None:
    """Formula, source, cost and known failure are a command away."""
    ran = bench("show", "relp", root=False)

    assert ran.code == 0
    assert ran.out.startswith("relp: ")
    assert "kind write, cost " in ran.out
    assert "Source: " in ran.out
    assert "Known failure: " in ran.out
    document = json.loads(bench("show", "relp", "--json", root=False).out)
    assert document["name"] == "relp"


def test_prompts_fresh(bench: Bench, tmp_path: Path, repository: Path) -> None:
    """Prompts of another seed are other prompts; the digest is on stdout."""
    frozen = (repository / "tasks" / EARLY / "prompts.jsonl").read_bytes()
    digests = {1: hashlib.sha256(frozen).hexdigest()}
    for seed in (1, 2):
        path = tmp_path / f"{seed}.jsonl"
        ran = bench("prompts", "fresh", EARLY, "--seed", str(seed), "--out", path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert (ran.code, ran.out) == (0, f"{digest}\n")
        assert ran.err.startswith("20 prompts in ")
        assert digest == digests.setdefault(seed, digest)
    assert digests[1] != digests[2]


def test_prompts_leave_files_alone(bench: Bench, repository: Path) -> None:
    """Frozen prompts are never written over."""
    path = repository / "tasks" / EARLY / "prompts.jsonl"
    before = path.read_bytes()
    ran = bench("prompts", "fresh", EARLY, "--seed", "1", "--out", path)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"'{path}' exists already and was left alone. Name a new file.\n"
    )
    assert path.read_bytes() == before


def test_a_recipe_that_cannot_be_drawn(bench: Bench, repository: Path) -> None:
    """A recipe that asks for too much is refused in one message."""
    path = repository / "tasks" / EARLY / "task.toml"
    path.write_text(re.sub(r"last_token = \d+", "last_token = 3", path.read_text()))
    ran = bench("prompts", "fresh", EARLY, "--seed", "1", "--out", "x")

    assert ran.code == 2
    assert ran.err.startswith(f"The recipe of '{EARLY}' cannot be drawn: Two fresh ")


def test_a_seed_has_an_end(bench: Bench) -> None:
    """A seed that no generator takes is refused by the command line."""
    ran = bench("prompts", "fresh", EARLY, "--seed", str(2**63), "--out", "x")

    assert ran.code == 2
    assert "9223372036854775807" in ran.err


def test_prompts_without_a_recipe(bench: Bench, repository: Path) -> None:
    """Prompts that were brought cannot be drawn again."""
    path = repository / "tasks" / EARLY / "task.toml"
    path.write_text(path.read_text().partition("[prompts.recipe]")[0])

    ran = bench("prompts", "fresh", EARLY, "--seed", "1", "--out", "x")
    assert ran.code == 2
    assert ran.err.startswith(f"'{EARLY}' has no recipe: its prompts were brought")


def test_reference_show(bench: Bench, tmp_path: Path) -> None:
    """A stored reference is printed as tables and drawn."""
    ran = bench("reference", "show", EARLY, "--out", tmp_path / "plots")

    assert ran.code == 0
    assert f"{EARLY}, version 1, relative-response-2" in ran.out
    assert any(line.startswith("attn 3 ") for line in ran.out.splitlines())
    assert ran.out.count("lower bound of the final signature [0.500, 1.500]\n") == 1
    assert ">= 0" in ran.out
    assert (tmp_path / "plots" / f"{EARLY}.png").read_bytes().startswith(b"\x89PNG")
    document = json.loads(bench("reference", "show", EARLY, "--json").out)
    assert document["protocol"] == "relative-response-2"


def test_reference_show_without_one(bench: Bench, repository: Path) -> None:
    """A task without a reference says how to measure one."""
    (repository / "reference_results" / f"{EARLY}.json").unlink()
    ran = bench("reference", "show", EARLY)

    assert ran.code == 2
    assert ran.err.endswith(f"Measure it with: bench reference compute {EARLY}\n")


@pytest.mark.parametrize(
    ("line", "module", "named"),
    [
        (["evaluate", "eap-ig"], "torch", "torch"),
        (["doctor", "eap-ig"], "torch", "torch"),
        (["reference", "compute", EARLY], "bench.evaluation.reference", ""),
        (["reference", "verify", EARLY], "bench.evaluation.reference", ""),
        (["reference", "show", EARLY], "bench.plots.reference_plot", ""),
    ],
    ids=["evaluate", "doctor", "compute", "verify", "show"],
)
def test_missing_parts_of_the_installation(
    line: list[str],
    module: str,
    named: str,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What cannot run in a base installation says what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    ran = bench(*line)

    assert ran.code == 2
    assert named in ran.err
    assert ran.err.endswith("pip install 'induction-bench[run]'\n")


@pytest.fixture
def fake_evaluation(
    monkeypatch: pytest.MonkeyPatch,
    make_record: Callable[..., AttributionRecord],
    provenance: Provenance,
) -> set[str]:
    """Replace the running of models; tasks in the returned set fail."""
    failing: set[str] = set()

    def evaluate_task(parts: Any, *, stage: Any) -> AttributionRecord:
        task = parts.opened.task

        def compute() -> tuple[Part, float]:
            stage("attribution")(1, 1)
            if task.id in failing:
                raise MethodFailedError("The method 'eap-ig' raised ValueError: no.")
            return Part(values=(1.0,) * task.n_sections, cost=1.0), 0.1

        for what in PARTS:
            parts.take(what, compute)
        return make_record(
            [1.0] * task.n_sections,
            task=task.id,
            method=method_key(parts.found).model_dump(),
        )

    monkeypatch.setattr(units, "evaluate_task", evaluate_task)
    monkeypatch.setattr(parts_module, "model_provenance", lambda *_, **__: provenance)
    monkeypatch.setattr(OpenedTask, "subject", None)
    return failing


@pytest.mark.usefixtures("fake_evaluation")
def test_evaluate(bench: Bench, tmp_path: Path) -> None:
    """All tasks of the suite are run, scored and stored below results/<method>."""
    ran = bench("evaluate", "eap-ig")

    assert ran.code == 0
    assert ran.out.splitlines()[-1].startswith("Mean skill -")
    folder = tmp_path / "results" / "eap-ig"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert found == {
        "scores.json",
        *(f"{task}.{end}" for task in (EARLY, LATE) for end in ("json", "png")),
    }


@pytest.mark.usefixtures("fake_evaluation")
def test_evaluate_some_tasks(bench: Bench, tmp_path: Path) -> None:
    """Chosen tasks are no suite."""
    ran = bench("evaluate", "eap-ig", "--task", LATE, "--out", tmp_path / "o", "--json")
    document = json.loads(ran.out)

    assert document["suite"] is None
    assert [task["task"] for task in document["tasks"]] == [LATE]
    assert (tmp_path / "o" / f"{LATE}.json").is_file()


@pytest.mark.usefixtures("fake_evaluation")
def test_evaluate_several_methods(bench: Bench, tmp_path: Path) -> None:
    """Each method's results go to a folder of its own, and JSON is a list."""
    ran = bench("evaluate", "eap-ig", "hisp", "--task", LATE, "--json")
    documents = json.loads(ran.out)

    assert [document["method"] for document in documents] == ["eap-ig", "hisp"]
    for name in ("eap-ig", "hisp"):
        assert (tmp_path / "results" / name / f"{LATE}.json").is_file()


@pytest.mark.usefixtures("fake_evaluation", "few_resamples")
def test_evaluate_every_built_in(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One option stands for all built-in methods, of which there are three here."""
    few = dict(list(built_in().items())[:3])
    monkeypatch.setattr("bench.cli.evaluate.built_in", lambda: few)
    ran = bench("evaluate", "--built-in", "--task", LATE)

    assert ran.code == 0
    assert {path.name for path in (tmp_path / "results").iterdir()} == set(few)


def test_evaluate_nothing(bench: Bench) -> None:
    """Without a method there is nothing to run, and the message names one."""
    ran = bench("evaluate")

    assert ran.code == 2
    assert "No method was given. Name one, as in: bench evaluate" in ran.err


def test_evaluate_one_method_twice(bench: Bench) -> None:
    """Two methods of one name would overwrite each other's results."""
    ran = bench("evaluate", "hisp", "hisp")

    assert ran.code == 2
    assert "Two methods are called 'hisp'. Give each its own name." in ran.err


def test_evaluate_several_methods_into_one_folder(bench: Bench) -> None:
    """One folder holds the results of one method."""
    ran = bench("evaluate", "hisp", "eap-ig", "--out", "o")

    assert ran.code == 2
    assert "--out o would hold results of 2 methods" in ran.err


def test_evaluate_with_a_failure(fake_evaluation: set[str], bench: Bench) -> None:
    """One failing task is reported, the others are scored, and the exit code is 1."""
    fake_evaluation.add(EARLY)
    ran = bench("evaluate", "eap-ig")
    assert ran.code == 1
    assert f"{EARLY}: The method 'eap-ig' raised ValueError: no." in ran.err
    assert ran.out.splitlines()[-1] == f"Mean skill: undefined (failed on {EARLY})."
    assert LATE in ran.out

    document = json.loads(bench("evaluate", "eap-ig", "--json").out)
    assert document["mean_skill"] is None
    assert document["undefined"] == f"failed on {EARLY}"
    failed = {task["task"]: task["status"] for task in document["tasks"]}
    assert failed == {EARLY: "failed", LATE: "ok"}


def test_evaluate_when_everything_fails(
    fake_evaluation: set[str], bench: Bench
) -> None:
    """Nothing to score is no crash."""
    fake_evaluation |= {EARLY, LATE}
    ran = bench("evaluate", "eap-ig")

    assert ran.code == 1
    said = f"Mean skill: undefined (failed on {EARLY}, {LATE})."
    assert ran.out == f"eap-ig\n{said}\n"


@pytest.mark.usefixtures("fake_evaluation")
def test_evaluate_again_keeps_results(bench: Bench, repository: Path) -> None:
    """The same command continues where the last one stopped."""
    options = ["evaluate", "eap-ig"]
    first = bench(*options)
    assert "already" not in first.err
    again = bench(*options)

    assert again.out == first.out
    for task in (EARLY, LATE):
        assert f"eap-ig on {task}: was there already" in again.err


@pytest.mark.usefixtures("fake_evaluation")
def test_evaluate_on_a_full_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk ends the run with exit code 1 and says what to do."""

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "replace", full)
    ran = bench("evaluate", "eap-ig")
    assert ran.code == 1
    assert "could not be written: No space left on device." in ran.err


def test_progress_is_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Bars never mix with data."""
    with display.progress_display() as titled:
        titled("a task")("a stage")(1, 2)

    out, err = capsys.readouterr()
    assert out == ""
    assert "a task: a stage" in err


def test_modules_of_the_plots_are_not_imported_early() -> None:
    """Commands that run no model know nothing of torch at import."""
    for module in (evaluate, scored):
        assert not hasattr(module, "torch")


def test_reference_verify(
    bench: Bench, trusted: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeated measurement passes within tolerance; else every profile is named."""
    record = trusted.references[EARLY].record
    arrays = arrays_to_bytes(trusted.references[EARLY].arrays)
    found = [record]
    monkeypatch.setattr(
        reference,
        "_measure",
        lambda *_, **__: StoredReference(found[0], arrays),
    )
    ran = bench("reference", "verify", EARLY)
    assert (ran.code, ran.out) == (0, f"{EARLY}: reproduced within tolerance\n")

    none = tuple(-1.0 for _ in record.norm_growth)
    found[0] = record.model_copy(update={"norm_growth": none})
    ran = bench("reference", "verify", EARLY)
    assert (ran.code, ran.out) == (1, "")
    lines = ran.err.splitlines()
    assert lines[0] == f"The reference of '{EARLY}' was not reproduced:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["norm_growth"]


def test_reference_compute(
    bench: Bench, trusted: Trusted, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    """What was measured is written, and its place is printed."""
    path = repository / "reference_results" / f"{EARLY}.json"
    arrays = path.with_suffix(".safetensors").read_bytes()
    record = trusted.references[EARLY].record
    stored = StoredReference(record, arrays)
    monkeypatch.setattr(reference, "_measure", lambda *_, **__: stored)
    before = path.read_bytes()
    path.unlink()

    ran = bench("reference", "compute", EARLY)
    assert (ran.code, ran.out) == (0, f"{path}\n")
    assert path.read_bytes() == before


def test_score_refuses_results_of_two_methods(
    bench: Bench, write_results: Callable[..., Path]
) -> None:
    """A folder with results of two methods has no one name."""
    folder = write_results("my-method")
    other = write_results("other-method") / f"{LATE}.json"
    other.replace(folder / f"{LATE}.json")
    ran = bench("score", folder)

    assert ran.code == 2
    assert "holds results of 2 methods (my-method, other-method)" in ran.err


def test_an_installed_package_is_no_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """What writes needs a repository, and says so."""
    monkeypatch.setattr(options, "data_root", lambda: PACKAGE / "_data")

    with pytest.raises(UserError, match="the installed package is none"):
        options.writable_root(None)
