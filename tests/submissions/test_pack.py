import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import FileFormatError, NoRoomError, UnknownNameError, UserError
from bench.methods.catalogue import built_in
from bench.results import attribution_record
from bench.results.attribution_record import read_attribution, write_attribution
from bench.results.trusted import Trusted
from bench.submissions import folder
from bench.submissions.manifest import (
    CODE,
    MANIFEST,
    README,
    array_name,
    code_file,
    file_name,
    read_manifest,
    sealed,
)
from bench.submissions.pack import pack_submission
from bench.submissions.validation import validate_submission
from bench.tasks.digest import sha256_of_file

EARLY, LATE = "induction/early", "induction/late"

pytestmark = pytest.mark.usefixtures("few_resamples")


def test_packing_writes_what_it_returns(
    write_results: Callable[..., Path], trusted: Trusted, tmp_path: Path
) -> None:
    """The folder holds the manifest and one file for each task of the suite."""
    results = write_results()
    manifest = pack_submission(
        results, suite="core", trusted=trusted, out=tmp_path / "out"
    )

    folder = tmp_path / "out" / "my-method"
    assert {path.name for path in folder.iterdir()} == {
        MANIFEST,
        README,
        "induction-early.json",
        "induction-late.json",
    }
    assert (manifest.suite.name, manifest.suite.version) == ("core", "1.0")
    assert [entry.task for entry in manifest.files] == [EARLY, LATE]
    for entry in manifest.files:
        path = folder / entry.path
        assert (path.stat().st_size, sha256_of_file(path)) == (
            entry.bytes,
            entry.sha256,
        )
        stored = read_attribution(results / f"{entry.task}.json")
        assert read_attribution(path) == stored
    assert read_manifest(folder).files == manifest.files


def test_claims_are_the_computed_scores(
    write_results: Callable[..., Path], trusted: Trusted, tmp_path: Path
) -> None:
    """What a submission claims is what validation computes, for every profile."""
    manifest = pack_submission(
        write_results(), suite="core", trusted=trusted, out=tmp_path
    )
    checked = validate_submission(tmp_path / "my-method", trusted)

    for task, claims in manifest.claimed_overlap.items():
        for name, claim in claims.items():
            computed = checked.scores[task].profiles[name].overlap.value
            assert claim == pytest.approx(computed, rel=1e-8)


def test_packing_twice_gives_the_same_bytes(
    submit: Callable[..., Path],
) -> None:
    """Equal results make equal submissions, and the old one is replaced."""
    before = {path.name: path.read_bytes() for path in submit().iterdir()}
    after = {path.name: path.read_bytes() for path in submit().iterdir()}

    assert after == before


def test_a_suite_needs_only_its_tasks(
    write_results: Callable[..., Path], trusted: Trusted, tmp_path: Path
) -> None:
    """Results on further tasks stay where they are."""
    manifest = pack_submission(
        write_results(), suite="half", trusted=trusted, out=tmp_path
    )

    assert [entry.task for entry in manifest.files] == [EARLY]


def test_unknown_suite(
    write_results: Callable[..., Path], trusted: Trusted, tmp_path: Path
) -> None:
    """A misspelt suite is answered with the near one."""
    expected = "No suite is called 'haf'. Did you mean 'half'? Known: core, half."
    with pytest.raises(UnknownNameError, match=f"^{re.escape(expected)}$"):
        pack_submission(write_results(), suite="haf", trusted=trusted, out=tmp_path)


def test_every_obstacle_is_named(
    write_results: Callable[..., Path],
    trusted: Trusted,
    tmp_path: Path,
    edit_json: Callable[..., None],
) -> None:
    """Missing results, old tasks and mixed methods are reported together."""
    results = write_results()
    (results / f"{EARLY}.json").unlink()
    edit_json(results / f"{LATE}.json", lambda r: r["task"].update(digest="0" * 64))
    edit_json(
        results / f"{LATE}.json", lambda r: r["provenance"].update(dtype="bfloat16")
    )

    with pytest.raises(UserError) as caught:
        pack_submission(results, suite="core", trusted=trusted, out=tmp_path / "out")
    assert str(caught.value).splitlines() == [
        f"The results in '{results}' cannot be submitted to suite 'core':",
        f"  '{results / EARLY}.json' cannot be read: No such file or directory.",
        f"  '{results / LATE}.json' was made on another version of '{LATE}'.",
        f"  '{results / LATE}.json' was computed in bfloat16, not in float32.",
        "Run: bench evaluate METHOD --suite core; or submit what there is with "
        "--incomplete REASON",
    ]
    assert not (tmp_path / "out").exists()


def test_incomplete_results_with_a_reason(
    write_results: Callable[..., Path], trusted: Trusted, tmp_path: Path
) -> None:
    """With a reason the tasks at hand are packed; what was packed before goes."""
    results = write_results()
    pack_submission(results, suite="core", trusted=trusted, out=tmp_path / "out")
    (results / f"{LATE}.json").unlink()
    manifest = pack_submission(
        results,
        suite="core",
        trusted=trusted,
        out=tmp_path / "out",
        incomplete="too large for us",
    )

    assert manifest.incomplete == "too large for us"
    assert [entry.task for entry in manifest.files] == [EARLY]
    folder = tmp_path / "out" / "my-method"
    expected = {MANIFEST, README, file_name(EARLY)}
    assert {path.name for path in folder.iterdir()} == expected
    assert validate_submission(folder, trusted).problems == ()


def test_nothing_is_lost_when_packing_fails(
    write_results: Callable[..., Path],
    trusted: Trusted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was packed before stays valid until the new one is there."""
    results, out = write_results(), tmp_path / "out"
    pack_submission(results, suite="core", trusted=trusted, out=out)
    (results / f"{LATE}.json").unlink()

    def full(path: Path, data: bytes) -> None:
        raise NoRoomError(f"{path} could not be written")

    monkeypatch.setattr(folder, "write_atomically", full)
    with pytest.raises(NoRoomError):
        pack_submission(
            results, suite="core", trusted=trusted, out=out, incomplete="too large"
        )
    assert validate_submission(out / "my-method", trusted).problems == ()


def test_left_over_files_that_resist_stay(
    write_results: Callable[..., Path], trusted: Trusted, tmp_path: Path
) -> None:
    """A folder in place of a file is left to validation."""
    results, out = write_results(), tmp_path / "out"
    pack_submission(results, suite="core", trusted=trusted, out=out)
    (out / "my-method" / file_name(LATE)).unlink()
    (out / "my-method" / file_name(LATE)).mkdir()
    (results / f"{LATE}.json").unlink()
    pack_submission(
        results, suite="core", trusted=trusted, out=out, incomplete="too large"
    )

    checked = validate_submission(out / "my-method", trusted)
    assert {problem.code for problem in checked.problems} == {"S003"}


@pytest.mark.parametrize(
    ("reason", "gone", "said"),
    [
        ("too large", [], "are complete. Submit them without --incomplete."),
        ("too large", [EARLY, LATE], "there is none for any task of the suite."),
        ("", [LATE], "is ''; expected one line of 1 to 200 characters."),
        ("  ", [LATE], "is '  '; expected one line of 1 to 200 characters."),
        ("a\nb", [LATE], r"is 'a\nb'; expected one line of"),
        ("\udcff", [LATE], r"is '\udcff'; expected one line of"),
        ("x" * 201, [LATE], "x'; expected one line of 1 to 200 characters."),
    ],
)
def test_reasons_that_are_refused(
    reason: str,
    gone: list[str],
    said: str,
    write_results: Callable[..., Path],
    trusted: Trusted,
    tmp_path: Path,
) -> None:
    """Something is missing, something is there, and the reason is short."""
    results = write_results()
    for task in gone:
        (results / f"{task}.json").unlink()

    with pytest.raises(UserError, match=re.escape(said)):
        pack_submission(
            results,
            suite="core",
            trusted=trusted,
            out=tmp_path / "out",
            incomplete=reason,
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("missing", "named"),
    [([LATE], LATE), ([EARLY, LATE], f"{EARLY}, {LATE}")],
    ids=["one", "both"],
)
def test_pending_references(
    missing: list[str],
    named: str,
    write_results: Callable[..., Path],
    repository: Path,
    tmp_path: Path,
) -> None:
    """A suite with tasks that nobody measured takes no submissions, and names them."""
    results = write_results()
    for task in missing:
        (repository / "reference_results" / f"{task}.json").unlink()
    trusted = Trusted(repository, built_in=frozenset())

    expected = re.escape(
        f"Suite 'core' takes no submissions yet: the references of {named} are "
        "pending. Measure them with: bench reference compute TASK"
    )
    with pytest.raises(UserError, match=f"^{expected}$"):
        pack_submission(results, suite="core", trusted=trusted, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pending_references_of_other_suites(
    write_results: Callable[..., Path], repository: Path, tmp_path: Path
) -> None:
    """A suite whose own tasks are measured is open, whatever is pending elsewhere."""
    results = write_results()
    (repository / "reference_results" / f"{LATE}.json").unlink()
    trusted = Trusted(repository, built_in=frozenset())

    manifest = pack_submission(results, suite="half", trusted=trusted, out=tmp_path)
    assert [entry.task for entry in manifest.files] == [EARLY]


def test_mixed_methods(
    write_results: Callable[..., Path],
    trusted: Trusted,
    tmp_path: Path,
    edit_json: Callable[..., None],
) -> None:
    """Results of two versions of a method are no submission."""
    results = write_results()
    other = {"source_sha256": "1" * 64}
    edit_json(results / f"{LATE}.json", lambda r: r["method"].update(other))

    with pytest.raises(UserError, match="come from different versions of the method"):
        pack_submission(results, suite="core", trusted=trusted, out=tmp_path)


def test_reserved_name(
    write_results: Callable[..., Path], trusted: Trusted, tmp_path: Path
) -> None:
    """A method of one's own cannot be packed under a built-in name."""
    results = write_results("eap-ig")

    expected = "'eap-ig' is the name of a built-in method. Give your method another"
    with pytest.raises(UserError, match=f"^{expected}"):
        pack_submission(results, suite="core", trusted=trusted, out=tmp_path)


def test_file_names() -> None:
    """A task's file lies flat in the folder."""
    assert file_name(EARLY) == "induction-early.json"


def test_reading_a_manifest(submit: Callable[..., Path]) -> None:
    """A manifest that does not fit is refused with every problem."""
    folder = submit()
    document = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(document | {"files": [], "x": 1}))

    with pytest.raises(FileFormatError, match="is not a valid Manifest") as caught:
        read_manifest(folder)
    assert "files: Tuple should have at least 1 item" in str(caught.value)
    assert "x: Extra inputs are not permitted" in str(caught.value)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The file of a method."""
    path = tmp_path / "anything.py"
    path.write_bytes(b"def my_method(ctx): ...\n")
    return path


def test_the_code_goes_with_the_answers(
    write_results: Callable[..., Path], trusted: Trusted, tmp_path: Path, source: Path
) -> None:
    """A method in a file of its own is submitted under one name, byte for byte."""
    results = write_results(source_sha256=sha256_of_file(source))
    out = tmp_path / "out"
    manifest = pack_submission(
        results, suite="core", trusted=trusted, out=out, source=source
    )

    assert manifest.code == code_file(source.read_bytes())
    assert (out / "my-method" / CODE).read_bytes() == source.read_bytes()
    assert validate_submission(out / "my-method", trusted).problems == ()


def test_code_that_was_changed_since(
    write_results: Callable[..., Path], trusted: Trusted, tmp_path: Path, source: Path
) -> None:
    """Answers and code have to belong together; nothing is written."""
    results = write_results(source_sha256="1" * 64)

    with pytest.raises(UserError, match="was changed after the results in"):
        pack_submission(
            results, suite="core", trusted=trusted, out=tmp_path / "out", source=source
        )
    assert not (tmp_path / "out").exists()


def test_many_values_are_packed_beside(
    write_results: Callable[..., Path],
    trusted: Trusted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Per-prompt values that are many are a file of their own, and go with it."""
    rows = {EARLY: [[1.0] * 12] * 3, LATE: [[1.0] * 16] * 3}
    values = {task: row[0] for task, row in rows.items()}
    results = write_results(values=values)
    for task, row in rows.items():
        path = results / f"{task}.json"
        record = read_attribution(path)
        write_attribution(
            path, record.model_copy(update={"per_prompt": tuple(map(tuple, row))})
        )
    monkeypatch.setattr(attribution_record, "INLINE", 40)
    out = tmp_path / "out"
    pack_submission(results, suite="core", trusted=trusted, out=out)
    folder = out / "my-method"

    assert {path.name for path in folder.glob("*.safetensors")} == {
        array_name(file_name(LATE))
    }
    checked = validate_submission(folder, trusted)
    assert checked.problems == ()
    assert len(checked.records[LATE].per_prompt or ()) == 3
    monkeypatch.setattr(attribution_record, "INLINE", 48)
    pack_submission(results, suite="core", trusted=trusted, out=out)
    assert not list(folder.glob("*.safetensors"))


def test_the_text_about_a_method_is_kept(
    write_results: Callable[..., Path], trusted: Trusted, tmp_path: Path
) -> None:
    """A first one is written; what its author makes of it stays."""
    results, out = write_results(), tmp_path / "out"
    pack_submission(results, suite="core", trusted=trusted, out=out)
    readme = out / "my-method" / README
    assert readme.read_text().startswith("# my-method\n\nSay something.\n")

    readme.write_text("# Better\n")
    pack_submission(results, suite="core", trusted=trusted, out=out)
    assert readme.read_text() == "# Better\n"


def test_a_built_in_method_comes_with_its_description(
    submit: Callable[..., Path],
) -> None:
    """Formula, source, cost and known failure stand in the module alone."""
    folder = submit("attribution-patching", origin="built-in")

    text = built_in()["attribution-patching"].text
    assert text in (folder / README).read_text()


def test_the_digest_is_over_everything_else(submit: Callable[..., Path]) -> None:
    """It names a manifest: every field moves it, and it is what is written."""
    manifest = read_manifest(submit())
    assert manifest.digest == manifest.content_digest

    changes = {"incomplete": "x", "bench": "9", "suite": {"name": "a", "version": "1"}}
    for field, value in changes.items():
        document = json.loads(manifest.model_dump_json()) | {field: value}
        changed = type(manifest).parse(json.dumps(document), file="x")
        assert changed.content_digest != manifest.digest
        assert sealed(changed).digest == changed.content_digest
