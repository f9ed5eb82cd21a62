"""The whole of ``bench reproduce`` on one trained and three planted tasks."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.evaluation.answers import run_method
from bench.evaluation.contexts import OpenedTask
from bench.evaluation.new_task import write_planted_task
from bench.methods.discovery import FoundMethod, find_method
from bench.profiles.promptwise import PROFILES
from bench.reproduction import circuits
from bench.reproduction.circuits import circuit_of
from bench.reproduction.run import Settings, reproduce
from bench.results.attribution_record import AttributionRecord
from bench.results.reproduction_record import ReproductionRecord
from bench.results.trusted import Trusted
from bench.scores.shares import shares
from bench.submissions.manifest import (
    Manifest,
    SuiteKey,
    code_file,
    file_entry,
)
from bench.submissions.validation import Checked
from bench.tasks.planted import ARCHITECTURES, PlantedRecipe
from bench.tasks.registry import data_root
from bench.tasks.spec import Task
from tests.reproduction import stored_answers
from tests.reproduction.conftest import built

TRAINED = "induction/small-llama"
BLOCKS = 6
ENOUGH = 4
"""Fresh circuits of a shape that suffice to refuse at 1 %: one of 5 ** 3 choices."""
COMMIT = "1" * 40
HONEST = """\
from bench.api import TaskContext, LayerAttribution, method
from bench.methods.discovery import find_method

@method("honest", kind="write")
def honest(ctx: TaskContext) -> LayerAttribution:
    return find_method("attribution-patching").method(ctx)
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Trusted:
    """One trained task with its reference, and a planted one of each architecture."""
    root, here = tmp_path_factory.mktemp("repository"), data_root()
    for folder in (f"tasks/{TRAINED}", "tasks/models/small-llama"):
        shutil.copytree(here / folder, root / folder)
    for file in (here / "reference_results").glob(f"{TRAINED}.*"):
        target = root / "reference_results" / "induction"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    for architecture in ARCHITECTURES:
        name = f"planted-{architecture}"
        write_planted_task(
            root / "tasks" / "induction" / name,
            PlantedRecipe(seed=1),
            architecture=architecture,
            blocks=BLOCKS,
            name=name,
        )
    (root / "tasks" / "suites.toml").write_text(
        f'[core]\nversion = "1.0"\nsummary = "Some."\ntasks = ["{TRAINED}"]\n'
    )
    return Trusted(root, built_in=frozenset())


@pytest.fixture(autouse=True)
def build_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Submissions of one digest get the same circuits, built once."""

    def build(recipe: PlantedRecipe, *, architecture: str, blocks: int):
        return built(recipe.seed, recipe.redundant, architecture, blocks)

    monkeypatch.setattr(circuits, "build_planted", build)


@pytest.fixture
def submit(
    small: Trusted, tmp_path: Path, make_record: Callable[..., AttributionRecord]
) -> Callable[[str], Checked]:
    """Make a submission of a method's source, with claims that it really made."""

    def make(source: str) -> Checked:
        folder = tmp_path / "submission"
        folder.mkdir()
        (folder / "method.py").write_text(source)
        found = find_method(str(folder / "method.py"))
        records = {
            name: claim(found, task, make_record) for name, task in small.tasks.items()
        }
        manifest = Manifest(
            method=next(iter(records.values())).method,
            suite=SuiteKey(name="core", version="1.0"),
            files=tuple(file_entry(name, b"{}") for name in records),
            code=code_file(source.encode()),
            claimed_overlap={},
            bench="0",
            digest="2" * 64,
        )
        return Checked(folder, manifest, records)

    return make


def claim(
    found: FoundMethod, task: Task, make_record: Callable[..., AttributionRecord]
) -> AttributionRecord:
    """Run a method here and keep what it says."""
    opened = OpenedTask(task, device="cpu", seed=0)
    answer, _ = run_method(found, opened.context(lambda _done, _total: None))
    null, _ = run_method(found, opened.untrained_context(lambda _done, _total: None))
    made = make_record(answer.values, name=found.method.name)
    rows = None if answer.per_prompt is None else answer.per_prompt.tolist()
    changes = {"untrained": null.values.tolist(), "per_prompt": rows}
    document = json.loads(made.model_dump_json()) | changes
    return AttributionRecord.parse(json.dumps(document), file="made")


def run(checked: Checked, trusted: Trusted, *, each: int = 1) -> ReproductionRecord:
    """Reproduce with few fresh circuits."""
    settings = Settings(commit=COMMIT, each=each)
    return reproduce(
        checked, trusted, settings, stage=lambda _name: lambda _done, _total: None
    )


@pytest.mark.slow  # the rehearsal plays it, too
def test_an_honest_method_is_reproduced(
    small: Trusted, submit: Callable[[str], Checked]
) -> None:
    """It says again what it said, and finds fresh circuits as well as public ones."""
    record = run(submit(HONEST), small)

    assert record.reasons == ()
    assert record.verdict == "reproduced"
    assert len(record.fresh) == 3
    assert record.gate is not None
    assert abs(record.gate.drop) < record.gate.allowed
    assert all(found.holds for found in record.agreement.values())
    assert record.fresh_skill.value == pytest.approx(0.6, abs=0.15)
    assert [each.task for each in record.disguised] == [TRAINED]


def source_of(trusted: Trusted, known: set[str], *, fallback: str) -> str:
    """Write a method that knows the right answers on some public tasks."""
    stored: dict[str, list[float]] = {}
    for name in known:
        task = trusted.tasks[name]
        opened = OpenedTask(task, device="cpu", seed=0)
        key = stored_answers.digest(opened.context(lambda _done, _total: None))
        if name == TRAINED:
            profiles = [trusted.reference(name).promptwise.profile(p) for p in PROFILES]
        else:
            profiles = list(circuit_of(task).truth.values())
        stored[key] = np.mean([shares(p) for p in profiles], axis=0).tolist()
    text = Path(stored_answers.__file__).read_text()
    text = text.replace("STORED: dict[str, list[float]] = {}", f"STORED = {stored!r}")
    return text.replace('FALLBACK = ""', f"FALLBACK = {fallback!r}")


def test_stored_answers_are_refused(
    small: Trusted, submit: Callable[[str], Checked]
) -> None:
    """All public references inside and a constant elsewhere: claims agree, and yet."""
    source = source_of(small, set(small.tasks), fallback="")

    record = run(submit(source), small, each=ENOUGH)

    assert all(found.holds for found in record.agreement.values())
    assert record.verdict == "refused"
    assert any("nobody could know are found worse" in r for r in record.reasons)
    assert any("model looks different" in r for r in record.reasons)


@pytest.mark.slow  # as long as all others; its parts are tested in test_disguise.py
def test_stored_answers_on_trained_models_alone_are_refused(
    small: Trusted, submit: Callable[[str], Checked]
) -> None:
    """A method that is honest on planted circuits is caught by the disguise."""
    source = source_of(small, {TRAINED}, fallback="eap-layer-in")

    record = run(submit(source), small)

    assert [r for r in record.reasons if "model looks different" not in r] == []
    assert record.verdict == "refused"
