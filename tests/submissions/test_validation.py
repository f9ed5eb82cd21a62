import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import UnknownNameError
from bench.profiles.promptwise import PROFILES
from bench.results.trusted import Trusted
from bench.submissions.manifest import MANIFEST
from bench.submissions.problems import CODES, Problem
from bench.submissions.validation import validate_submission
from bench.tasks.strict_json import LARGEST_FILE

EARLY, LATE = "induction/early", "induction/late"
FIRST, SECOND = "induction-early.json", "induction-late.json"
Submit = Callable[..., Path]
Edit = Callable[[Path, Callable[[dict], object]], None]
Spoil = Callable[[Callable[[dict], object]], Path]

pytestmark = pytest.mark.usefixtures("few_resamples")


def only(folder: Path, trusted: Trusted) -> Problem:
    """Validate a submission that has one problem and return it."""
    problems = validate_submission(folder, trusted).problems
    assert len(problems) == 1, problems
    return problems[0]


def place(problem: Problem) -> tuple[str, str, str]:
    """Return a problem's code, file and pointer."""
    return problem.code, problem.file, problem.pointer


def test_golden_submission_is_accepted(submit: Submit, trusted: Trusted) -> None:
    """What pack writes has no problem and is scored on every task and profile."""
    checked = validate_submission(submit(), trusted)

    assert checked.problems == ()
    assert set(checked.records) == set(checked.scores) == {EARLY, LATE}
    assert checked.manifest is not None
    assert checked.manifest.method.name == "my-method"
    for scores in checked.scores.values():
        for name in PROFILES:
            assert scores.profiles[name].overlap.value is not None


def test_readme_is_welcome(submit: Submit, trusted: Trusted) -> None:
    """A README may say what the method is."""
    folder = submit()
    (folder / "README.md").write_text("# My method")

    assert validate_submission(folder, trusted).problems == ()


def test_undefined_claim_is_accepted(submit: Submit, trusted: Trusted) -> None:
    """A method that is undefined says so with null and is valid."""
    negative = {EARLY: [-1.0] * 12, LATE: [-1.0] * 16}
    checked = validate_submission(submit(values=negative), trusted)

    assert checked.problems == ()
    assert checked.manifest is not None
    assert checked.manifest.claimed_overlap[EARLY] == dict.fromkeys(PROFILES)


def test_s001_without_manifest(submit: Submit, trusted: Trusted) -> None:
    """A folder without a manifest is named with how to make one."""
    folder = submit()
    (folder / MANIFEST).unlink()

    problem = only(folder, trusted)
    assert place(problem) == ("S001", MANIFEST, "")
    assert problem.fix == "Make the folder with: bench submit METHOD"


@pytest.mark.parametrize("name", ["run.py", "weights.bin", ".hidden", "page.html"])
def test_s002_extra_file(name: str, submit: Submit, trusted: Trusted) -> None:
    """Only JSON files and the README belong into a submission."""
    folder = submit()
    (folder / name).write_text("")

    assert place(only(folder, trusted)) == ("S002", name, "")


def test_s002_unlisted_json(submit: Submit, trusted: Trusted) -> None:
    """A JSON file that the manifest does not list is reported, not read."""
    folder = submit()
    (folder / "more.json").write_text("no json")

    problem = only(folder, trusted)
    assert place(problem) == ("S002", "more.json", "")
    assert (problem.expected, problem.found) == ("a listed file", "not listed")


@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe"])
def test_s003_not_a_regular_file(
    kind: str, submit: Submit, trusted: Trusted, tmp_path: Path
) -> None:
    """Links, folders and pipes are reported and never followed or opened."""
    folder = submit()
    path = folder / "more.json"
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(secret if kind == "link" else tmp_path / "none")

    problem = only(folder, trusted)
    assert place(problem) == ("S003", "more.json", "")
    linked = kind in ("link", "dangling")
    assert problem.found == ("a symbolic link" if linked else "not a file")


def test_s003_manifest_is_a_link(
    submit: Submit, trusted: Trusted, tmp_path: Path
) -> None:
    """A linked manifest is not read."""
    folder = submit()
    shutil.move(folder / MANIFEST, tmp_path / "elsewhere.json")
    (folder / MANIFEST).symlink_to(tmp_path / "elsewhere.json")

    assert place(only(folder, trusted)) == ("S003", MANIFEST, "")


def test_s004_too_large(submit: Submit, trusted: Trusted) -> None:
    """A file above the limit is reported before anything is opened."""
    folder = submit()
    data = (folder / FIRST).read_bytes()
    (folder / FIRST).write_bytes(data.ljust(LARGEST_FILE + 1))

    problem = only(folder, trusted)
    assert place(problem) == ("S004", FIRST, "")
    assert problem.expected == "at most 1000000 bytes"
    assert problem.found == "1000001 bytes"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('"wall_s": 0.5', '"wall_s": NaN', "it holds NaN; every number must be"),
        ('"wall_s": 0.5', '"wall_s": 1e999', "1e999 is not finite."),
        ('"wall_s": 0.5', '"wall_s": 1, "wall_s": 2', "the key 'wall_s' occurs more"),
        ('"wall_s": 0.5', '"wall_s": ,', "Expecting value."),
        ('"wall_s": 0.5', '"wall_s": ' + "[" * 30 + "]" * 30, "nested deeper than"),
    ],
    ids=["nan", "infinity", "duplicate", "broken", "deep"],
)
def test_s010_not_strict_json(
    old: str,
    new: str,
    found: str,
    submit: Submit,
    rehash: Callable[[Path], None],
    trusted: Trusted,
) -> None:
    """What JSON leaves open is refused even behind a correct digest."""
    folder = submit()
    text = (folder / FIRST).read_text()
    assert old in text
    (folder / FIRST).write_text(text.replace(old, new))
    rehash(folder)

    problem = only(folder, trusted)
    assert place(problem) == ("S010", FIRST, "")
    assert found in problem.found


def test_s010_manifest(submit: Submit, trusted: Trusted) -> None:
    """The manifest is read as strictly; nothing else is looked at then."""
    folder = submit()
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace("{", '{"bench": "0",', 1))

    problem = only(folder, trusted)
    assert place(problem) == ("S010", MANIFEST, "")
    assert "the key 'bench' occurs more than once" in problem.found


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda r: r.update(more=1), ""),
        (lambda r: r.pop("values"), ""),
        (lambda r: r["provenance"].update(more=1), "/provenance"),
        (lambda r: r["values"].__setitem__(3, "0.5"), "/values/3"),
        (lambda r: r["values"].__setitem__(3, None), "/values/3"),
        (lambda r: r.update(values=[]), "/values"),
        (lambda r: r.update(per_prompt=[]), "/per_prompt"),
        (lambda r: r.update(wall_s=-1.0), "/wall_s"),
        (lambda r: r.update(schema_version=2), "/schema_version"),
        (lambda r: r["method"].update(name="a|b"), "/method/name"),
        (lambda r: r["method"].update(name="<b>"), "/method/name"),
        (lambda r: r["method"].update(kind="both"), "/method/kind"),
        (lambda r: r["method"].update(source_sha256="x"), "/method/source_sha256"),
    ],
)
def test_s011_schema(
    change: Callable[[dict], object], pointer: str, spoil: Spoil, trusted: Trusted
) -> None:
    """Each departure from the schema is found at its own place."""
    problem = only(spoil(change), trusted)

    assert place(problem) == ("S011", FIRST, pointer)
    assert len(problem.expected) <= 60


def test_s011_what_the_schema_cannot_say(spoil: Spoil, trusted: Trusted) -> None:
    """Lists of different lengths are refused with the lengths."""
    folder = spoil(lambda r: r.update(per_prompt=[[1.0] * 12, [1.0] * 11]))

    problem = only(folder, trusted)
    assert place(problem)[:2] == ("S011", FIRST)
    assert "found lengths [11, 12]" in problem.expected


@pytest.mark.parametrize(
    "path",
    [
        "../induction-early.json",
        "/etc/passwd.json",
        "a/b.json",
        "..json",
        "C:\\x.json",
        "x.JSON",
        "x.json/",
        "x.json\n",
        "",
    ],
)
def test_s011_path_traversal(
    path: str, submit: Submit, edit_json: Edit, trusted: Trusted
) -> None:
    """No path of the manifest leads out of the folder, or is opened."""
    folder = submit()
    edit_json(folder / MANIFEST, lambda m: m["files"][0].update(path=path))

    problem = only(folder, trusted)
    assert place(problem) == ("S011", MANIFEST, "/files/0/path")


def test_s020_renamed_folder(submit: Submit, trusted: Trusted) -> None:
    """The folder is called like the method."""
    folder = submit()
    moved = folder.rename(folder.parent / "better-method")

    problem = only(moved, trusted)
    assert place(problem) == ("S020", MANIFEST, "/method/name")
    assert (problem.expected, problem.found) == ("better-method", "my-method")


def test_s021_reserved_name(submit: Submit, repository: Path) -> None:
    """Nobody else may use the name of a built-in method."""
    folder = submit()
    mine = Trusted(repository, built_in=frozenset({"my-method"}))

    problem = only(folder, mine)
    assert place(problem) == ("S021", MANIFEST, "/method/name")
    assert problem.found == "my-method"


def test_s021_false_origin(submit: Submit, trusted: Trusted) -> None:
    """Nobody becomes built-in, and so ranked, by saying so."""
    problem = only(submit(origin="built-in"), trusted)

    assert place(problem) == ("S021", MANIFEST, "/method/origin")
    assert problem.found == "built-in"


def test_s021_built_in_method(submit: Submit, trusted: Trusted) -> None:
    """The repository's own results use these names."""
    folder = submit("attribution-patching", origin="built-in")

    assert validate_submission(folder, trusted).problems == ()


def test_s021_built_in_method_of_another_source(
    submit: Submit, repository: Path
) -> None:
    """A built-in result that the present source did not make is refused."""
    folder = submit("attribution-patching", origin="built-in")
    names = frozenset({"attribution-patching"})
    mine = Trusted(repository, built_in=names, sources=dict.fromkeys(names, "1" * 64))

    problem = only(folder, mine)
    assert place(problem) == ("S021", MANIFEST, "/method/source_sha256")


@pytest.mark.parametrize("path", ["gone.json", "submission.json"])
def test_s022_listed_file_is_missing(
    path: str, submit: Submit, edit_json: Edit, trusted: Trusted
) -> None:
    """A listed file has to be there and cannot be the manifest itself."""
    folder = submit()
    (folder / SECOND).unlink()
    edit_json(folder / MANIFEST, lambda m: m["files"][1].update(path=path))

    problem = only(folder, trusted)
    assert place(problem) == ("S022", MANIFEST, "/files/1")
    assert problem.expected == path


def test_s023_wrong_digest(submit: Submit, edit_json: Edit, trusted: Trusted) -> None:
    """A changed digest is found at the file."""
    folder = submit()
    edit_json(folder / MANIFEST, lambda m: m["files"][0].update(sha256="0" * 64))

    problem = only(folder, trusted)
    assert place(problem) == ("S023", FIRST, "")
    assert problem.expected.endswith("SHA-256 000000000000...")


def test_s023_wrong_size(submit: Submit, edit_json: Edit, trusted: Trusted) -> None:
    """A changed size is found at the file."""
    folder = submit()
    edit_json(folder / MANIFEST, lambda m: m["files"][0].update(bytes=1))

    problem = only(folder, trusted)
    assert place(problem) == ("S023", FIRST, "")
    assert problem.expected.startswith("1 bytes,")


def test_s023_changed_values(submit: Submit, trusted: Trusted) -> None:
    """An attribution edited after packing is refused, not scored."""
    folder = submit()
    text = (folder / FIRST).read_text()
    (folder / FIRST).write_text(text.replace('"wall_s": 0.5', '"wall_s": 0.6'))

    checked = validate_submission(folder, trusted)
    assert [place(p) for p in checked.problems] == [("S023", FIRST, "")]
    assert set(checked.scores) == {LATE}


def test_s024_double_entry(submit: Submit, edit_json: Edit, trusted: Trusted) -> None:
    """A task cannot be answered twice."""
    folder = submit()
    edit_json(folder / MANIFEST, lambda m: m["files"].append(m["files"][0]))

    problems = validate_submission(folder, trusted).problems
    assert [place(p) for p in problems] == [("S024", MANIFEST, "/files")] * 2
    assert [p.found for p in problems] == [f"'{EARLY}' 2 times", f"'{FIRST}' 2 times"]


@pytest.mark.parametrize(
    "change", [{"version": "0.9"}, {"name": "unknown"}], ids=["version", "name"]
)
def test_s025_suite(
    change: dict[str, str], submit: Submit, edit_json: Edit, trusted: Trusted
) -> None:
    """Suite and version have to be of this repository."""
    folder = submit()
    edit_json(folder / MANIFEST, lambda m: m["suite"].update(change))

    problem = only(folder, trusted)
    assert place(problem) == ("S025", MANIFEST, "/suite")
    assert problem.expected == "core 1.0, half 2.1"


def test_s026_missing_task(submit: Submit, edit_json: Edit, trusted: Trusted) -> None:
    """A suite is answered as a whole."""
    folder = submit()
    edit_json(folder / MANIFEST, lambda m: m["files"].pop())
    edit_json(folder / MANIFEST, lambda m: m["claimed_overlap"].pop(LATE))
    (folder / SECOND).unlink()

    problem = only(folder, trusted)
    assert place(problem) == ("S026", MANIFEST, "/files")
    assert problem.expected == LATE
    assert problem.fix.startswith("Run: bench evaluate METHOD --suite core, or say")


def test_missing_task_with_a_reason(
    submit: Submit, edit_json: Edit, trusted: Trusted
) -> None:
    """Whoever says why may leave out a task."""
    folder = submit()
    edit_json(folder / MANIFEST, lambda m: m["files"].pop())
    edit_json(folder / MANIFEST, lambda m: m["claimed_overlap"].pop(LATE))
    edit_json(folder / MANIFEST, lambda m: m.update(incomplete="too large for us"))
    (folder / SECOND).unlink()

    checked = validate_submission(folder, trusted)
    assert checked.problems == ()
    assert list(checked.scores) == [EARLY]


def test_s027_reason_without_a_missing_task(
    submit: Submit, edit_json: Edit, trusted: Trusted
) -> None:
    """What is complete is not called incomplete, or it would not be ranked."""
    folder = submit()
    edit_json(folder / MANIFEST, lambda m: m.update(incomplete="too large for us"))

    problem = only(folder, trusted)
    assert place(problem) == ("S027", MANIFEST, "/incomplete")


@pytest.mark.parametrize("reason", ["", "x" * 201, 3])
def test_s011_reason_that_is_none(
    reason: object, submit: Submit, edit_json: Edit, trusted: Trusted
) -> None:
    """A reason is a short text."""
    folder = submit()
    edit_json(folder / MANIFEST, lambda m: m.update(incomplete=reason))

    assert only(folder, trusted).code == "S011"


def test_s030_unknown_task(
    submit: Submit, edit_json: Edit, rehash: Callable[[Path], None], trusted: Trusted
) -> None:
    """Only tasks of the repository are scored."""
    folder = submit()
    shutil.copy(folder / FIRST, folder / "mine.json")
    edit_json(folder / "mine.json", lambda r: r["task"].update(id="my/task"))
    edit_json(
        folder / MANIFEST,
        lambda m: m["files"].append(
            m["files"][0] | {"task": "my/task", "path": "mine.json"}
        ),
    )
    rehash(folder)

    problem = only(folder, trusted)
    assert place(problem) == ("S030", "mine.json", "/task/id")
    assert (problem.expected, problem.found) == (f"{EARLY}, {LATE}", "my/task")


@pytest.mark.parametrize(
    "change", [{"digest": "0" * 64}, {"version": 2}], ids=["digest", "version"]
)
def test_s031_other_version_of_the_task(
    change: dict[str, object], spoil: Spoil, trusted: Trusted
) -> None:
    """An answer to an old task is no answer to the present one."""
    folder = spoil(lambda r: r["task"].update(change))

    problem = only(folder, trusted)
    assert place(problem) == ("S031", FIRST, "/task")
    assert problem.expected.startswith("version 1, digest ")


def test_s032_wrong_length(spoil: Spoil, trusted: Trusted) -> None:
    """One number for each section of the task's model."""
    problem = only(spoil(lambda r: r["values"].append(1.0)), trusted)

    assert place(problem) == ("S032", FIRST, "/values")
    assert (problem.expected, problem.found) == ("12 values", "13 values")


def test_s033_other_method(spoil: Spoil, trusted: Trusted) -> None:
    """An answer of another method is not taken for this one's."""
    problem = only(spoil(lambda r: r["method"].update(name="other")), trusted)

    assert place(problem) == ("S033", FIRST, "/method")
    assert problem.found == f"other on {EARLY}"


def test_s033_same_name_other_source(spoil: Spoil, trusted: Trusted) -> None:
    """All answers come from one version of the method."""
    change = {"source_sha256": "1" * 64}
    problem = only(spoil(lambda r: r["method"].update(change)), trusted)

    assert place(problem) == ("S033", FIRST, "/method")
    assert problem.found.endswith("with another source, kind or summary")


def test_s033_swapped_files(submit: Submit, edit_json: Edit, trusted: Trusted) -> None:
    """An entry's task is the one its file was made on."""
    folder = submit()

    def swap(manifest: dict) -> None:
        one, two = manifest["files"]
        one["task"], two["task"] = two["task"], one["task"]

    edit_json(folder / MANIFEST, swap)
    checked = validate_submission(folder, trusted)
    assert [place(p) for p in checked.problems] == [
        ("S033", FIRST, "/method"),
        ("S033", SECOND, "/method"),
    ]
    assert checked.scores == {}


def test_s034_values_are_not_the_mean(spoil: Spoil, trusted: Trusted) -> None:
    """Values and values per prompt speak of the same attribution."""
    folder = spoil(lambda r: r.update(per_prompt=[[2 * v for v in r["values"]]]))

    problem = only(folder, trusted)
    assert place(problem) == ("S034", FIRST, "/values")
    assert problem.found.startswith("off by up to 1.")


@pytest.fixture
def without_reference(submit: Submit, repository: Path) -> tuple[Path, Trusted]:
    """A submission that was packed before a reference went missing."""
    folder = submit()
    (repository / "reference_results" / f"{EARLY}.json").unlink()
    return folder, Trusted(repository, built_in=frozenset())


def test_s035_reference_is_pending(without_reference: tuple[Path, Trusted]) -> None:
    """A task without a reference is named, and the others are scored all the same."""
    checked = validate_submission(*without_reference)

    (problem,) = checked.problems
    assert place(problem) == ("S035", FIRST, "/task/id")
    assert problem.expected == "a task with a reference"
    assert problem.found == f"{EARLY}: reference pending"
    assert set(checked.records) == set(checked.scores) == {LATE}


def test_every_problem_has_a_title(without_reference: tuple[Path, Trusted]) -> None:
    """A pending reference is no unknown kind of problem."""
    problem = only(*without_reference)

    assert problem.title == CODES[problem.code]


@pytest.mark.parametrize("claim", [0.999, None], ids=["higher", "undefined"])
def test_s040_claimed_score(
    claim: float | None, submit: Submit, edit_json: Edit, trusted: Trusted
) -> None:
    """A claim that the scorer does not confirm is a problem, and is not believed."""
    folder = submit()
    before = validate_submission(folder, trusted)
    edit_json(
        folder / MANIFEST,
        lambda m: m["claimed_overlap"][EARLY].update(emergence=claim),
    )

    checked = validate_submission(folder, trusted)
    problem = only(folder, trusted)
    assert place(problem) == (
        "S040",
        MANIFEST,
        "/claimed_overlap/induction~1early/emergence",
    )
    assert problem.found == str(claim)
    overlap = before.scores[EARLY].profiles["emergence"].overlap
    assert problem.expected == str(overlap.value)
    assert checked.scores[EARLY].profiles["emergence"].overlap == overlap


def test_s040_claims_left_out(
    submit: Submit, edit_json: Edit, trusted: Trusted
) -> None:
    """A claim that is not made is wrong like a false one, for each profile."""
    folder = submit()
    edit_json(folder / MANIFEST, lambda m: m.update(claimed_overlap={}))

    problems = validate_submission(folder, trusted).problems
    assert [problem.code for problem in problems] == ["S040"] * 4


def test_claims_may_be_off_by_rounding(
    submit: Submit, edit_json: Edit, trusted: Trusted
) -> None:
    """The ninth digit of a claim is not a lie."""
    folder = submit()

    def change(manifest: dict) -> None:
        manifest["claimed_overlap"][EARLY]["emergence"] += 1e-8

    edit_json(folder / MANIFEST, change)
    assert validate_submission(folder, trusted).problems == ()


def test_all_problems_are_reported_at_once(
    submit: Submit, edit_json: Edit, trusted: Trusted
) -> None:
    """One run shows everything that has to be mended."""
    folder = submit()
    (folder / "run.py").write_text("")
    (folder / "more.json").write_text("")

    def change(manifest: dict) -> None:
        manifest["suite"]["version"] = "9.9"
        manifest["files"][0]["sha256"] = "0" * 64
        manifest["claimed_overlap"][LATE]["emergence"] = 1.0

    edit_json(folder / MANIFEST, change)
    moved = folder.rename(folder.parent / "other")
    problems = validate_submission(moved, trusted).problems
    assert [problem.code for problem in problems] == [
        "S002",
        "S020",
        "S025",
        "S002",
        "S023",
        "S040",
    ]


def test_several_schema_problems_in_one_file(spoil: Spoil, trusted: Trusted) -> None:
    """Every departure of a file is reported, not the first."""

    def change(record: dict) -> None:
        record["values"][0] = "1"
        record["more"] = 1
        record["wall_s"] = -1

    problems = validate_submission(spoil(change), trusted).problems
    assert {place(p) for p in problems} == {
        ("S011", FIRST, ""),
        ("S011", FIRST, "/values/0"),
        ("S011", FIRST, "/wall_s"),
    }


def test_nothing_is_executed(
    submit: Submit, edit_json: Edit, trusted: Trusted, tmp_path: Path
) -> None:
    """Code beside the results, and modules that they name, are never imported."""
    folder = submit()
    trap = tmp_path / "ran"
    code = f"open({str(trap)!r}, 'w')"
    for name in ("submission.py", "conftest.py", "my_method.py", "__init__.py"):
        (folder / name).write_text(code)
    edit_json(
        folder / MANIFEST,
        lambda m: m["method"].update(origin="module", source="my_method:my_method"),
    )
    before = set(sys.modules)

    validate_submission(folder, trusted)
    assert not trap.exists()
    assert not {name for name in set(sys.modules) - before if "my_method" in name}


def test_titles_of_problems() -> None:
    """A problem knows what its code stands for."""
    problem = Problem("S040", MANIFEST, "", "", "", "")

    assert problem.title == CODES["S040"]


def test_unknown_suite(trusted: Trusted) -> None:
    """A suite that is not there is answered with the near one."""
    expected = r"No suite is called 'cor'\. Did you mean 'core'\? Known: core, half\."
    with pytest.raises(UnknownNameError, match=f"^{expected}$"):
        trusted.suite("cor")


def test_others_of_a_suite(trusted: Trusted) -> None:
    """The null of other tasks knows those of the suite alone."""
    assert trusted.others(EARLY, "core") == [trusted.references[LATE]]
    assert trusted.others(EARLY, "half") == []
