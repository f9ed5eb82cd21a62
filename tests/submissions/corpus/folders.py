"""Cases of the folder: what lies in it, how large it is and what it is called."""

import os
import shutil
import socket
from pathlib import Path

from bench.submissions.manifest import CODE, MANIFEST, README
from bench.submissions.snapshot import LARGEST_SUBMISSION, MOST_FILES
from tests.submissions.corpus.cases import ARRAYS, FIRST, SECOND, Spoil, case


@case("S001")
def no_folder(folder: Path) -> None:
    """There is nothing."""
    shutil.rmtree(folder)


@case("S001")
def file_for_a_folder(folder: Path) -> None:
    """The submission is a file."""
    shutil.rmtree(folder)
    folder.write_text("{}")


@case("S001")
def linked_folder(folder: Path) -> None:
    """The submission is a link to a valid one."""
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to("elsewhere")


@case("S001")
def looped_folder(folder: Path) -> None:
    """The submission is a link to itself."""
    shutil.rmtree(folder)
    folder.symlink_to(folder)


@case("S001")
def pipe_for_a_folder(folder: Path) -> None:
    """The submission is a pipe."""
    shutil.rmtree(folder)
    os.mkfifo(folder)


@case("S001")
def empty_folder(folder: Path) -> None:
    """Nothing lies in it."""
    shutil.rmtree(folder)
    folder.mkdir()


@case("S001")
def no_manifest(folder: Path) -> None:
    """The manifest is missing."""
    (folder / MANIFEST).unlink()


def extra(name: str) -> Spoil:
    """Put an empty file beside the submission's own."""

    def put(folder: Path) -> None:
        (folder / name).write_text("")

    return put


for _label, _name in {
    "script": "run.py",
    "notebook": "study.ipynb",
    "page": "page.html",
    "image": "figure.svg",
    "pickle": "weights.pkl",
    "archive": "all.zip",
    "hidden-file": ".gitattributes",
    "upper-case-ending": "more.JSON",
    "unlisted-json": "more.json",
    "unlisted-arrays": "more.safetensors",
    "hidden-json": ".json",
}.items():
    case("S002", name=_label)(extra(_name))


@case("S002")
def arrays_that_no_record_names(folder: Path) -> None:
    """Values of single prompts beside a record that has none."""
    shutil.copy(folder / ARRAYS, folder / SECOND.replace(".json", ".safetensors"))


@case("S003")
def symlink(folder: Path) -> None:
    """A file is a link out of the folder."""
    (folder / "more.json").symlink_to("/etc/passwd")


@case("S003")
def dangling_symlink(folder: Path) -> None:
    """A file is a link to nothing."""
    (folder / "more.json").symlink_to("nothing")


@case("S003")
def symlink_loop(folder: Path) -> None:
    """Two links name each other."""
    (folder / "a.json").symlink_to("b.json")
    (folder / "b.json").symlink_to("a.json")


@case("S003")
def linked_manifest(folder: Path) -> None:
    """The manifest is a link to a valid one."""
    (folder / MANIFEST).rename(folder.parent / "kept.json")
    (folder / MANIFEST).symlink_to("../kept.json")


@case("S003")
def linked_readme(folder: Path) -> None:
    """The README is a link."""
    (folder / README).unlink()
    (folder / README).symlink_to("/etc/passwd")


@case("S003")
def linked_attribution(folder: Path) -> None:
    """An attribution is a link to the file that it was."""
    (folder / FIRST).rename(folder.parent / FIRST)
    (folder / FIRST).symlink_to(f"../{FIRST}")


@case("S003")
def pipe(folder: Path) -> None:
    """An attribution is a pipe."""
    (folder / FIRST).unlink()
    os.mkfifo(folder / FIRST)


@case("S003")
def left_socket(folder: Path) -> None:
    """A socket was left behind."""
    here = Path.cwd()
    os.chdir(folder)  # names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("more.json")
    finally:
        os.chdir(here)


@case("S003")
def folder_in_the_folder(folder: Path) -> None:
    """A folder that is called like a file."""
    (folder / "more.json").mkdir()


@case("S003")
def git_folder(folder: Path) -> None:
    """A repository of its own."""
    (folder / ".git").mkdir()


@case("S004")
def large_attribution(folder: Path) -> None:
    """A gigabyte that takes no room on the disk."""
    os.truncate(folder / FIRST, 10**9)


@case("S004")
def large_arrays(folder: Path) -> None:
    """Values of single prompts one byte beyond the limit."""
    os.truncate(folder / ARRAYS, 2_000_001)


@case("S004")
def large_manifest(folder: Path) -> None:
    """A manifest one byte beyond the limit."""
    os.truncate(folder / MANIFEST, 1_000_001)


@case("S004")
def large_readme(folder: Path) -> None:
    """A README that nobody reads."""
    (folder / README).write_text("x" * 20_001)


@case("S004")
def large_code(folder: Path) -> None:
    """A method of 200 kB is no method."""
    (folder / CODE).write_text("#" * 200_001)


@case("S005")
def many_files(folder: Path) -> None:
    """More files than any submission has."""
    for number in range(MOST_FILES + 1):
        (folder / f"{number}.json").touch()


def called(name: str) -> Spoil:
    """Put a file of a bad name beside the submission's own."""

    def put(folder: Path) -> None:
        (folder / name).write_text("{}")

    return put


for _label, _name in {
    "windows-device": "con.json",
    "windows-device-in-capitals": "LPT1.json",
    "windows-device-of-two-endings": "aux.tar.json",
    "windows-superscript-device": "com\u00b9.json",
    "windows-colon": "a:b.json",
    "windows-wildcard": "a*.json",
    "windows-backslash": "..\\..\\a.json",
    "quote-in-a-name": 'a".json',
    "line-break-in-a-name": "a\n::error::b.json",
    "carriage-return-in-a-name": "a\r::stop-commands::b.json",
    "escape-sequence-in-a-name": "a\x1b[2Jb.json",
    "delete-in-a-name": "a\x7f.json",
    "c1-control-in-a-name": "a\x9b31m.json",
    "reversed-name": "a\u202enosj.json",
    "isolated-name": "a\u2066b.json",
    "arabic-mark-in-a-name": "a\u061cb.json",
    "zero-width-name": "a\u200bb.json",
    "tagged-name": "a\U000e0041.json",
    "private-character-in-a-name": "a\ue000.json",
    "byte-order-mark-in-a-name": "\ufeffa.json",
    "line-separator-in-a-name": "a\u2028b.json",
    "decomposed-name": "e\u0301.json",
    "leading-space": " a.json",
    "long-name": "a" * 200 + ".json",
}.items():
    case("S006", name=_label)(called(_name))

for _label, _name in {
    "trailing-dot": "a.json.",
    "trailing-space": "a.json ",
}.items():
    case("S002", "S006", name=_label)(called(_name))

for _label, _name in {
    "name-in-another-script": "\u043c\u0435\u0442\u043e\u0434.json",
    "command-in-a-name": "##[error]a.json",
    "percent-in-a-name": "%0A%3A%3Aerror.json",
    "option-as-a-name": "-rf.json",
}.items():
    case("S002", name=_label)(called(_name))


@case("S006")
def name_that_is_not_utf8(folder: Path) -> None:
    """Bytes that no encoding explains."""
    path = os.fsencode(folder) + b"/a\xff\xfe.json"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


@case("S002", "S006")
def case_collision(folder: Path) -> None:
    """Two names that are one on many systems."""
    shutil.copy(folder / FIRST, folder / FIRST.upper().replace("JSON", "json"))


@case("S002", "S006")
def sharp_s_collision(folder: Path) -> None:
    """Two names that are one where case is folded in full."""
    (folder / "stra\u00dfe.json").touch()
    (folder / "strasse.json").touch()


@case("S002", "S007")
def large_together(folder: Path) -> None:
    """Files within their limits, and together beyond."""
    each = 1_999_999
    for number in range(LARGEST_SUBMISSION // each + 1):
        (folder / f"z{number:02}.safetensors").touch()
        os.truncate(folder / f"z{number:02}.safetensors", each)
