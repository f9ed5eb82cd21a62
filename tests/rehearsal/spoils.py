"""What can be wrong with a pull request: changes of a clone with a good submission."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

METHOD = "my-method"
FOLDER = Path("submissions") / METHOD

Spoil = Callable[[Path], object]


def edit(path: Path, change: Callable[[dict], object]) -> None:
    """Change a JSON file of a clone."""
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document, indent=2) + "\n")


def forge_claims(clone: Path) -> None:
    """Claim the best overlap there is."""

    def change(manifest: dict) -> None:
        for claims in manifest["claimed_overlap"].values():
            claims.update(dict.fromkeys(claims, 1.0))

    edit(clone / FOLDER / "submission.json", change)


def forge_values(clone: Path) -> None:
    """Write another attribution behind an old digest."""
    (file,) = (clone / FOLDER).glob("induction-*.json")
    edit(file, lambda record: record["values"].reverse())


def second(clone: Path) -> None:
    """Bring the same submission under another name."""
    shutil.copytree(clone / FOLDER, clone / "submissions" / "another")


def link(clone: Path) -> None:
    """Point the README at a file of the machine that reads it."""
    (clone / FOLDER / "README.md").unlink()
    (clone / FOLDER / "README.md").symlink_to("/etc/passwd")


def rename(clone: Path) -> None:
    """Take the place of a method of the repository's own."""
    built_in = next((clone / "submissions").glob("gradient-x-activation"))
    edit(built_in / "submission.json", lambda manifest: manifest.update(files=[]))
    shutil.rmtree(clone / FOLDER)


def write(path: str | Path, text: str = "text\n") -> Spoil:
    """Add or replace a file."""

    def spoil(clone: Path) -> None:
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text(text)

    return spoil


def replace(path: str | Path, old: str, new: str) -> Spoil:
    """Change the first occurrence of a text in a file."""

    def spoil(clone: Path) -> None:
        text = (clone / path).read_text()
        if old not in text:
            raise ValueError(f"'{path}' does not hold {old}")
        (clone / path).write_text(text.replace(old, new, 1))

    return spoil


NAMED_LIKE_A_COMMAND = FOLDER / "a\n::add-path::tmp\n::error title=S000::b.json"

REJECTED: Mapping[str, tuple[Spoil, str]] = {
    "another file": (write("docs/mine.md"), "S050"),
    "a record of its own": (write(f"records/reproductions/{METHOD}.json"), "S050"),
    "a board of its own": (write("leaderboard.md"), "S050"),
    "a folder of another case": (write("Submissions/other/x.json"), "S050"),
    "two submissions": (second, "S051"),
    "an executable file": (lambda c: (c / FOLDER / "README.md").chmod(0o755), "S052"),
    "a link": (link, "S052"),
    "a folder inside": (write(FOLDER / "more" / "x.json"), "S003"),
    "a built-in method's": (rename, "S054"),
    "a page": (write(FOLDER / "index.html", "<script>"), ""),
    "a pickle": (write(FOLDER / "state.pkl"), ""),
    "names that differ by case": (write(FOLDER / "readme.MD"), ""),
    "a name like a command": (write(NAMED_LIKE_A_COMMAND), ""),
    "no README": (lambda c: (c / FOLDER / "README.md").unlink(), ""),
    "other code": (lambda c: (c / FOLDER / "method.py").write_text("pass\n"), ""),
    "forged scores": (forge_claims, ""),
    "forged values": (forge_values, ""),
    "a key twice": (
        replace(FOLDER / "submission.json", "{", '{"schema_version": 1,'),
        "",
    ),
    "not a number": (
        replace(
            FOLDER / "submission.json", '"schema_version": 1', '"schema_version": NaN'
        ),
        "",
    ),
}
"""What is wrong with a pull request, and the code of one problem ("" is any)."""
