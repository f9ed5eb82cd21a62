"""Cases of the manifest: names, digests, listed files, code, withdrawals."""

import json
import shutil
from pathlib import Path
from typing import Any

from bench.submissions.manifest import CODE, MANIFEST, README, WITHDRAWAL
from tests.conftest import EARLY, LATE
from tests.submissions.corpus.cases import (
    ARRAYS,
    FIRST,
    SECOND,
    Change,
    Spoil,
    case,
    edit_manifest,
    rehash,
)


def changed(change: Change) -> Spoil:
    """Change the manifest behind a correct digest."""

    def put(folder: Path) -> None:
        edit_manifest(folder, change)

    return put


def first(**values: Any) -> Change:
    """Change what the manifest says of its first file."""
    return lambda m: m["files"][0].update(values)


def method(**values: Any) -> Change:
    """Change what the manifest says of the method."""
    return lambda m: m["method"].update(values)


PACKAGE = {"kind": "package", "requirement": "thing==1.0", "sha256": ["0" * 64]}

for _label, _change in {
    "path-out-of-the-folder": first(path="../induction-early.json"),
    "absolute-path": first(path="/etc/passwd.json"),
    "path-into-a-folder": first(path="a/b.json"),
    "path-with-a-drive": first(path="C:\\x.json"),
    "path-of-dots": first(path="..json"),
    "path-with-a-line-break": first(path="x.json\n"),
    "path-in-capitals": first(path="X.json"),
    "empty-path": first(path=""),
    "long-path": first(path="x" * 200 + ".json"),
    "bool-for-a-size": first(bytes=True),
    "float-for-a-size": first(bytes=1.5),
    "text-for-a-size": first(bytes="1"),
    "no-bytes": first(bytes=0),
    "digest-in-capitals": first(sha256="A" * 64),
    "short-digest": first(sha256="0" * 63),
    "unknown-key": lambda m: m.update(stars=5),
    "missing-key": lambda m: m.pop("suite"),
    "no-files": lambda m: m.update(files=[]),
    "too-many-entries": lambda m: m.update(files=m["files"] * 51),
    "bool-for-a-version": lambda m: m.update(schema_version=True),
    "later-version": lambda m: m.update(schema_version=2),
    "name-with-a-pipe": method(name="a|b"),
    "name-with-markup": method(name="<script>"),
    "long-name-of-a-method": method(name="a" * 65),
    "unknown-kind": method(kind="both"),
    "unknown-origin": method(origin="oracle"),
    "text-for-a-bool": method(oracle="yes"),
    "control-character-in-a-summary": method(summary="a\x1b[2J"),
    "line-break-in-a-summary": method(summary="a\n::error::b"),
    "reversed-summary": method(summary="a\u202eb"),
    "summary-with-a-direction-mark": method(summary="a\u200fb"),
    "summary-without-end": method(summary="a" * 1001),
    "reason-without-end": lambda m: m.update(incomplete="a" * 201),
    "empty-reason": lambda m: m.update(incomplete=""),
    "claim-that-is-text": lambda m: m["claimed_overlap"][EARLY].update(emergence="1"),
    "claim-that-is-a-bool": lambda m: m["claimed_overlap"][EARLY].update(
        emergence=True
    ),
    "claim-of-another-profile": lambda m: m["claimed_overlap"][EARLY].update(skill=1),
    "key-with-slash-and-tilde": lambda m: m["claimed_overlap"].update(
        {"a/b~c": {"emergence": "1"}}
    ),
    "key-of-many-letters": lambda m: m["claimed_overlap"].update({"k" * 5000: 1}),
    "key-with-an-escape-sequence": lambda m: m["claimed_overlap"].update(
        {"\x1b[2J\n##[error]": {"emergence": "1"}}
    ),
    "code-elsewhere": lambda m: m["code"].update(path="../method.py"),
    "code-of-an-unknown-kind": lambda m: m["code"].update(kind="git"),
    "package-from-anywhere": lambda m: m.update(
        code=PACKAGE | {"requirement": "thing @ https://example.org/thing.whl"}
    ),
    "package-of-any-version": lambda m: m.update(
        code=PACKAGE | {"requirement": "thing>=1.0"}
    ),
    "package-with-options": lambda m: m.update(
        code=PACKAGE | {"requirement": "thing==1.0 --index-url=https://example.org"}
    ),
    "package-without-digests": lambda m: m.update(code=PACKAGE | {"sha256": []}),
}.items():
    case("S011", name=_label)(changed(_change))


@case("S009", "S011")
def entries_without_anything(folder: Path) -> None:
    """Twenty problems are named; how many more there are is said."""
    edit_manifest(folder, lambda m: m.update(files=[{}] * 90))


@case("S009", "S041")
def endless_claims(folder: Path) -> None:
    """A thousand claims of tasks that were not answered."""
    claims = {f"my/task-{number}": {} for number in range(1000)}
    edit_manifest(folder, lambda m: m["claimed_overlap"].update(claims))


for _label, _text in {
    "manifest-is-a-list": "[]",
    "manifest-is-null": "null",
    "manifest-is-a-number": "1",
    "manifest-is-a-text": '"submission"',
    "manifest-is-empty": "{}",
}.items():

    def _written(folder: Path, text: str = _text) -> None:
        (folder / MANIFEST).write_text(text)

    case("S011", name=_label)(_written)


@case("S020")
def renamed_folder(folder: Path) -> Path:
    """The folder is called otherwise than the method."""
    return folder.rename(folder.parent / "better-method")


@case("S020")
def folder_of_a_hostile_name(folder: Path) -> Path:
    """The folder's name is written to confuse whoever prints it."""
    return folder.rename(folder.parent / "a\n::error::b\x1b[2J\u202e##[error]")


@case("S020")
def folder_that_is_not_utf8(folder: Path) -> Path:
    """Bytes that no encoding explains."""
    return folder.rename(folder.parent / "a\udcff")


@case("S020", "S021", "S033")
def name_of_a_built_in_method(folder: Path) -> None:
    """Somebody else's name."""
    edit_manifest(folder, method(name="attribution-patching"))


@case("S021", "S029", "S033")
def false_origin(folder: Path) -> None:
    """A built-in method that is none."""
    edit_manifest(folder, method(origin="built-in"))


@case("S021", "S029", "S033")
def false_oracle(folder: Path) -> None:
    """An oracle that is none."""
    edit_manifest(folder, method(origin="built-in", oracle=True))


@case("S022")
def missing_attribution(folder: Path) -> None:
    """A listed file is not there."""
    (folder / SECOND).unlink()


@case("S022")
def missing_arrays(folder: Path) -> None:
    """The values of single prompts are not there."""
    (folder / ARRAYS).unlink()


@case("S022")
def missing_code(folder: Path) -> None:
    """The method is not there."""
    (folder / CODE).unlink()


@case("S002", "S022")
def manifest_that_lists_itself(folder: Path) -> None:
    """A file cannot hold its own digest."""
    edit_manifest(folder, lambda m: m["files"][1].update(path=MANIFEST))


@case("S002", "S022")
def listed_path_in_other_case(folder: Path) -> None:
    """A name that is right on a system that ignores case."""
    path = folder / SECOND
    path.rename(folder / SECOND.replace("late", "Late"))


@case("S023")
def tampered_attribution(folder: Path) -> None:
    """A number was changed after packing."""
    text = (folder / SECOND).read_text()
    (folder / SECOND).write_text(text.replace('"wall_s": 0.5', '"wall_s": 0.6'))


@case("S023")
def longer_attribution(folder: Path) -> None:
    """A space was added after packing."""
    with (folder / SECOND).open("a") as file:
        file.write(" ")


@case("S023")
def empty_file(folder: Path) -> None:
    """Nothing is left of an attribution."""
    (folder / SECOND).write_bytes(b"")


@case("S023")
def tampered_code(folder: Path) -> None:
    """The method was changed after its answers were made."""
    with (folder / CODE).open("a") as file:
        file.write("# better now\n")


@case("S024")
def entry_twice(folder: Path) -> None:
    """A task is answered twice."""
    edit_manifest(folder, lambda m: m["files"].append(m["files"][0]))


@case("S024")
def entry_a_hundred_times(folder: Path) -> None:
    """A task is answered again and again; its file is checked once."""
    edit_manifest(folder, lambda m: m["files"].extend([m["files"][0]] * 98))


@case("S025")
def unknown_suite(folder: Path) -> None:
    """A suite that is not there."""
    edit_manifest(folder, lambda m: m["suite"].update(name="best"))


@case("S025")
def old_suite(folder: Path) -> None:
    """A version of the suite that is no more."""
    edit_manifest(folder, lambda m: m["suite"].update(version="0.9"))


@case("S025")
def suite_with_a_command(folder: Path) -> None:
    """A suite whose name is a command of a workflow."""
    name = "##[error]::error::%0A"
    edit_manifest(folder, lambda m: m["suite"].update(name=name))


@case("S026")
def missing_task(folder: Path) -> None:
    """A task of the suite is left out, and nobody says why."""

    def leave_out(manifest: dict) -> None:
        manifest["files"].pop()
        manifest["claimed_overlap"].pop(LATE)

    edit_manifest(folder, leave_out)
    (folder / SECOND).unlink()


@case("S027")
def needless_reason(folder: Path) -> None:
    """A reason why tasks are missing, where none is."""
    edit_manifest(folder, lambda m: m.update(incomplete="too large for us"))


@case("S028")
def wrong_digest(folder: Path) -> None:
    """The manifest was changed by hand."""
    document = json.loads((folder / MANIFEST).read_bytes())
    document["bench"] = "9.9"
    (folder / MANIFEST).write_text(json.dumps(document))


@case("S029")
def code_of_another_method(folder: Path) -> None:
    """The code is not the one whose digest the answers have."""
    (folder / CODE).write_text("def better(ctx): ...\n")
    rehash(folder)


@case("S002", "S029")
def package_of_a_file(folder: Path) -> None:
    """A method that was a file is said to be a package."""
    edit_manifest(folder, lambda m: m.update(code=PACKAGE))


@case("S002")
def code_that_is_not_listed(folder: Path) -> None:
    """The method lies there, and the manifest does not say so."""
    edit_manifest(folder, lambda m: m.update(code=None))


def _claim(folder: Path, value: float | None) -> None:
    edit_manifest(folder, lambda m: m["claimed_overlap"][LATE].update(emergence=value))


@case("S040")
def false_claim(folder: Path) -> None:
    """A score that nobody computes."""
    _claim(folder, 0.999)


@case("S040")
def huge_claim(folder: Path) -> None:
    """The largest number that there is."""
    _claim(folder, -1.7e308)


@case("S040")
def undefined_claim(folder: Path) -> None:
    """No score where there is one."""
    _claim(folder, None)


@case("S040")
def no_claims(folder: Path) -> None:
    """Nothing is claimed."""
    edit_manifest(folder, lambda m: m.update(claimed_overlap={}))


@case("S041")
def claim_without_an_answer(folder: Path) -> None:
    """A score on a task that was not answered."""
    claim = {"emergence": 1.0, "composition": 1.0}
    edit_manifest(folder, lambda m: m["claimed_overlap"].update({"my/task": claim}))


@case("S041")
def claim_with_an_escape_sequence(folder: Path) -> None:
    """A task whose name is written to confuse a terminal."""
    name = "\u00e9\u043c ##[error]"
    edit_manifest(folder, lambda m: m["claimed_overlap"].update({name: {}}))


def withdraw(folder: Path, **changes: object) -> None:
    """Leave a withdrawal alone in the folder, changed."""
    shutil.rmtree(folder)
    folder.mkdir()
    document = {
        "schema_version": 1,
        "method": folder.name,
        "digest": "0" * 64,
        "reason": "A mistake.",
    }
    (folder / WITHDRAWAL).write_text(json.dumps(document | changes))


@case("S045")
def withdrawn_with_the_rest(folder: Path) -> None:
    """A withdrawal beside all that was withdrawn."""
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    withdraw(folder)
    for name, data in kept.items():
        (folder / name).write_bytes(data)


@case("S045")
def withdrawn_with_a_readme(folder: Path) -> None:
    """A withdrawal says its reason itself."""
    withdraw(folder)
    (folder / README).write_text("# Gone\n")


@case("S002")
def withdrawn_with_a_script(folder: Path) -> None:
    """A withdrawal and something that never belonged there."""
    withdraw(folder)
    (folder / "run.py").write_text("")


@case("S020")
def withdrawal_of_another_method(folder: Path) -> None:
    """A withdrawal of what lies elsewhere."""
    withdraw(folder, method="other-method")


@case("S003")
def linked_withdrawal(folder: Path) -> None:
    """A withdrawal that is a link."""
    withdraw(folder)
    (folder / WITHDRAWAL).rename(folder.parent / WITHDRAWAL)
    (folder / WITHDRAWAL).symlink_to(f"../{WITHDRAWAL}")


for _label, _values in {
    "withdrawal-without-a-reason": {"reason": ""},
    "withdrawal-with-a-long-reason": {"reason": "x" * 201},
    "withdrawal-with-a-line-break": {"reason": "a\n::error::b"},
    "withdrawal-of-a-short-digest": {"digest": "0"},
    "withdrawal-with-more": {"date": "today"},
    "withdrawal-of-a-path": {"method": "../other"},
}.items():

    def _withdrawn(folder: Path, values: dict[str, str] = _values) -> None:
        withdraw(folder, **values)

    case("S011", name=_label)(_withdrawn)


@case("S010")
def broken_withdrawal(folder: Path) -> None:
    """A withdrawal that is no JSON."""
    withdraw(folder)
    (folder / WITHDRAWAL).write_text("withdrawn")


@case("S002", "S020", "S022", "S023", "S025", "S028", "S040")
def everything_at_once(folder: Path) -> Path:
    """One run shows everything that has to be mended."""
    document = json.loads((folder / MANIFEST).read_bytes())
    document["suite"]["version"] = "9.9"
    document["files"][0]["sha256"] = "0" * 64
    document["claimed_overlap"][LATE]["emergence"] = 1.0
    (folder / MANIFEST).write_text(json.dumps(document))
    (folder / "run.py").touch()
    (folder / README).unlink()
    assert (folder / FIRST).exists()
    return folder.rename(folder.parent / "other")
