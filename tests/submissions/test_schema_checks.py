import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from bench.cli.board_entries import leaderboard_entries
from bench.cli.published import PUBLISHED, json_schema
from bench.leaderboard.generate import generate
from bench.results.erratum_record import Erratum, ErratumRow, Versions
from bench.results.trusted import Trusted
from bench.submissions.ledger import Event, extend
from bench.submissions.manifest import MANIFEST, read_manifest
from bench.submissions.problems import Problem
from bench.submissions.schema_checks import parse_checked
from bench.submissions.withdrawal import Withdrawal
from bench.tasks.frozen import FrozenModel
from tests.conftest import EARLY
from tests.leaderboard.reproduced import reproduction

ROOT = Path(__file__).resolve().parents[2]

Submit = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("few_resamples")

LENGTHS = ("values", "per_prompt", "untrained", "control")
"""Only the model can say that these have one length."""


@pytest.fixture
def documents(submit: Submit, repository: Path, trusted: Trusted) -> dict[str, dict]:
    """A valid document of every published schema."""
    folder = submit()
    board = generate(leaderboard_entries(repository, trusted), trusted)
    files = {
        "attribution": folder / "induction-early.json",
        "reference": repository / "reference_results" / "induction" / "early.json",
        "submission": folder / MANIFEST,
    }
    withdrawal = Withdrawal(method="my-method", digest="0" * 64, reason="A mistake.")
    texts = {name: path.read_text() for name, path in files.items()}
    found = reproduction(read_manifest(folder).digest)
    texts["reproduction"] = found.model_dump_json()
    texts["withdrawal"] = withdrawal.model_dump_json()
    events = [Event(event="added", method="my-method", digest="0" * 64, reason="New.")]
    line = extend((), events, day="2026-01-02", commit="0" * 40)[0]
    texts["ledger"] = line.model_dump_json()
    versions = [Versions(scores=n, suite="1.0", tasks={EARLY: 1}) for n in (1, 2)]
    row = ErratumRow(method="my-method", digest="0" * 64, before=0.1, after=None)
    erratum = Erratum(
        reason="A bug.", before=versions[0], after=versions[1], rows=(row,)
    )
    texts["erratum"] = erratum.model_dump_json()
    texts["leaderboard"] = board.files["leaderboard.json"]
    return {name: json.loads(text) for name, text in texts.items()}


def accepted_by_pydantic(model: type[FrozenModel], document: object) -> bool:
    """Whether the model takes the document."""
    try:
        model.model_validate_json(json.dumps(document))
    except ValidationError:
        return False
    return True


def parsed(name: str, document: dict, problems: list[Problem]) -> FrozenModel | None:
    """Parse a document as validation does."""
    data = json.dumps(document).encode()
    return parse_checked("x.json", data, PUBLISHED[name], problems)


def places(document: object, path: tuple = ()) -> Iterator[tuple]:
    """Go through the places of a document, at most two of each list."""
    yield path
    if isinstance(document, dict):
        for key, value in document.items():
            yield from places(value, (*path, key))
    elif isinstance(document, list):
        for index, value in enumerate(document[:2]):
            yield from places(value, (*path, index))


WRONG = [None, True, "", "x", -1, 0, 2, 0.5, [], [0.5], {}, {"x": 1}, "0" * 64]


GONE = object()
"""Stands for a key that is missing."""


def mutations(document: dict) -> Iterator[tuple[tuple, object]]:
    """List what can be wrong in one place: another value, a key less, a key more."""
    for path in places(document):
        if not path:
            continue
        yield from ((path, wrong) for wrong in WRONG)
        parent, value = held(document, path), held(document, (*path, ""))
        if isinstance(parent, dict):
            yield path, GONE
        if isinstance(value, dict):
            yield path, value | {"unknown": 1}


def held(document: dict, path: tuple) -> Any:
    """Return what holds the last part of a path."""
    found: Any = document
    for part in path[:-1]:
        found = found[part]
    return found


def spoilt(document: dict, path: tuple, wrong: object) -> dict:
    """Copy a document with something else in one place; the rest is shared."""
    changed: Any = copy.copy(document)
    parent = changed
    for part in path[:-1]:
        parent[part] = copy.copy(parent[part])
        parent = parent[part]
    if wrong is GONE:
        del parent[path[-1]]
    else:
        parent[path[-1]] = wrong
    return changed


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_schemas_are_up_to_date(name: str) -> None:
    """The schemas in the repository are the generated ones."""
    path = ROOT / "schemas" / f"{name}.schema.json"

    expected = json.dumps(json_schema(name), indent=2) + "\n"
    assert path.read_text() == expected, "write them with: bench schema --out schemas"


def test_no_other_schema_is_published() -> None:
    """No schema is left over from a record that is gone."""
    found = {path.name for path in (ROOT / "schemas").iterdir()}

    assert found == {f"{name}.schema.json" for name in PUBLISHED}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_schemas_are_schemas(name: str) -> None:
    """Every schema is valid in the version that it names, and closed."""
    schema = json_schema(name)

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["$id"] == f"urn:induction-bench:schema:{name}:1"


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_valid_documents_fit(name: str, documents: dict[str, dict]) -> None:
    """What this package writes fits the schema that it publishes."""
    assert Draft202012Validator(json_schema(name)).is_valid(documents[name])
    assert accepted_by_pydantic(PUBLISHED[name], documents[name])


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_schema_and_model_agree(name: str, documents: dict[str, dict]) -> None:
    """A document spoilt in one place is refused by both or accepted by both."""
    validator = Draft202012Validator(json_schema(name))
    wrong = list(mutations(documents[name]))
    chosen = random.Random(0).sample(wrong, min(400, len(wrong)))  # noqa: S311
    verdicts: set[bool] = set()
    for path, value in chosen:
        document = spoilt(documents[name], path, value)
        label = f"{'/'.join(map(str, path))} = {value!r}"
        by_schema = validator.is_valid(document)
        by_model = accepted_by_pydantic(PUBLISHED[name], document)
        if by_schema and not by_model:
            assert label.startswith(LENGTHS), label
        else:
            assert by_schema == by_model, label
        verdicts.add(by_model)
    assert verdicts == {True, False}


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["values"].append(1.0),
        lambda r: r.update(untrained=[1.0]),
        lambda r: r["task"].update(version=1.0),
        lambda r: r["method"].update(name="my-method\n"),
    ],
    ids=["per-prompt", "untrained", "float", "newline"],
)
def test_the_model_refuses_what_the_schema_lets_through(
    change: Callable[[dict], object], documents: dict[str, dict]
) -> None:
    """Lengths, 1.0 for 1 and a trailing line break are found by the model."""
    document = documents["attribution"]
    document["per_prompt"] = [document["values"].copy()]
    problems: list[Problem] = []
    assert parsed("attribution", document, problems) is not None

    change(document)
    assert Draft202012Validator(json_schema("attribution")).is_valid(document)
    assert parsed("attribution", document, problems) is None
    assert {problem.code for problem in problems} == {"S011"}


def test_true_is_no_version(documents: dict[str, dict]) -> None:
    """Not for the model either, although Python takes it for 1."""
    spoilt = documents["submission"] | {"schema_version": True}
    with pytest.raises(ValidationError, match="expected the number 1"):
        PUBLISHED["submission"].model_validate_json(json.dumps(spoilt))
    problems: list[Problem] = []

    assert parsed("submission", spoilt, problems) is None
    assert {problem.pointer for problem in problems} == {"/schema_version"}


def test_a_good_file_adds_no_problem(documents: dict[str, dict]) -> None:
    """What is fine is returned as a record."""
    problems: list[Problem] = []

    record = parsed("submission", documents["submission"], problems)
    assert isinstance(record, PUBLISHED["submission"])
    assert problems == []
