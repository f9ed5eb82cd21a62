"""``bench submit``: pack results into a submission, and make a branch of it."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from bench.cli.evaluate import load_method
from bench.cli.options import (
    DEFAULT_SUITE,
    RESULTS,
    BaseBranch,
    NoGit,
    Root,
    Write,
    writable_root,
)
from bench.cli.pull_request import Delivery, Proposal, deliver
from bench.cli.trusted import read_trusted
from bench.errors import InvalidSubmissionError, UserError
from bench.leaderboard.markdown import escape
from bench.results.aggregate import mean_skill
from bench.results.trusted import Trusted
from bench.results.wording import interval, number
from bench.submissions.manifest import README, CodePackage, Manifest
from bench.submissions.pack import pack_submission
from bench.submissions.problems import Problem
from bench.submissions.snapshot import LARGEST
from bench.submissions.validation import Checked, validate_submission
from bench.tasks.bounded import read_bounded
from bench.tasks.digest import sha256_of_file
from bench.tasks.spec import SLUG


def submit(
    method: Annotated[
        str, typer.Argument(help="The method's name, or its file as for evaluate.")
    ],
    suite: Annotated[str, typer.Option(help="Suite to submit to.")] = DEFAULT_SUITE,
    results: Annotated[
        Path | None,
        typer.Option(help="Results folder.", show_default="results/<method>"),
    ] = None,
    readme: Annotated[
        Path | None,
        typer.Option(
            help="A text about the method.", show_default="the one that is there"
        ),
    ] = None,
    incomplete: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Submit without some tasks: shown with this reason, and not ranked.",
        ),
    ] = None,
    package: Annotated[
        str | None,
        typer.Option(
            metavar="NAME==VERSION", help="Published package that holds the method."
        ),
    ] = None,
    wheel: Annotated[
        list[Path] | None,
        typer.Option(help="A wheel that may be installed for it; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write into this folder of submissions, and make no branch."),
    ] = None,
    write: Write = False,
    no_git: NoGit = False,
    base: BaseBranch = None,
    root: Root = None,
) -> None:
    """Pack results, check them, show the pull request.

    With --write a branch with one commit is made; nothing is ever pushed. Files, index
    and branch that are checked out stay as they are.
    """
    folder = writable_root(root)
    is_name = not method.partition(":")[0].endswith(".py") and ":" not in method
    found = None if is_name else load_method(method)
    name = _check_name(method) if found is None else found.method.name
    trusted = read_trusted(folder)
    delivery = Delivery(folder, write=write, git=not no_git, base=base, out=out)
    with TemporaryDirectory() as scratch:
        _lay_readme(Path(scratch) / name, readme, delivery)
        manifest = pack_submission(
            RESULTS / name if results is None else results,
            suite=suite,
            trusted=trusted,
            out=Path(scratch),
            source=_package(package, wheel or ())
            or (None if found is None else found.file),
            incomplete=incomplete,
        )
        if manifest.method.name != name:
            raise UserError(
                f"These are results of '{manifest.method.name}', not of '{name}'. "
                f"Submit them as: bench submit {manifest.method.name}"
            )
        packed = Path(scratch) / name
        checked = _check(validate_submission(packed, trusted))
        files = {path.name: path.read_bytes() for path in sorted(packed.iterdir())}
    body = _describe(manifest, checked, trusted)
    deliver(Proposal(name, f"Submit {name}", body, files), delivery)


def _package(requirement: str | None, wheels: Sequence[Path]) -> CodePackage | None:
    """Name a package and the digests of its wheels; None if there is none.

    Raises:
        UserError: Only one of both was given.
        FileFormatError: It is no pinned requirement, or a wheel cannot be read.
    """
    if (requirement is None) != (not wheels):
        raise UserError(
            "--package and --wheel go together: the package is installed from a wheel "
            "with the digest of one of those given. Build or download it first."
        )
    if requirement is None:
        return None
    digests = [sha256_of_file(wheel) for wheel in wheels]
    text = json.dumps({"requirement": requirement, "sha256": digests})
    return CodePackage.parse(text, file=f"--package {requirement}")


def _check_name(name: str) -> str:
    """Return a name that a method can have.

    Raises:
        UserError: No method can have it.
    """
    if not re.fullmatch(SLUG, name):
        raise UserError(
            f"'{name}' is no name of a method, which has lower-case letters, digits "
            "and hyphens alone. A method's file ends in .py, and a function in a "
            "module goes as module:name."
        )
    return name


def _lay_readme(folder: Path, given: Path | None, delivery: Delivery) -> None:
    """Put the text about the method where packing keeps it.

    Raises:
        FileFormatError: The given file cannot be read or is too large.
    """
    beside = delivery.folder(folder.name) / README
    if given is not None or beside.is_file():
        text = read_bounded((given or beside).resolve(), limit=LARGEST[README])
    else:
        text = _committed(delivery, folder.name)
    if text is not None:
        folder.mkdir()
        (folder / README).write_bytes(text)


def _committed(delivery: Delivery, name: str) -> bytes | None:
    """Return the text that was submitted before, if there is one."""
    with suppress(UserError):  # without a branch to start from; is said later
        return delivery.read(name, README)
    return None


def _check(found: Checked) -> Checked:
    """Return a submission that validation accepts.

    Raises:
        InvalidSubmissionError: It has problems; the message has all of them.
    """
    if found.problems:
        raise InvalidSubmissionError(
            "The submission would be refused:\n"
            + "\n".join(map(_problem, found.problems))
        )
    return found


def _problem(problem: Problem) -> str:
    return (
        f"  {problem.code} {problem.file} {problem.pointer}: {problem.title}; expected "
        f"{problem.expected}, found {problem.found}. {problem.fix}"
    )


def _describe(manifest: Manifest, checked: Checked, trusted: Trusted) -> str:
    """Write the text of the pull request."""
    suite = trusted.suite(manifest.suite.name)
    mean = mean_skill(list(checked.scores.values()))
    skill = f"{number(mean.score.value)} {interval(mean.interval)}".strip()
    lines = [
        f"suite: {manifest.suite.name} {manifest.suite.version}, "
        f"{len(manifest.files)} of {len(suite.tasks)} tasks",
        f"mean skill on them: {skill}",
        f"code: {_code(manifest)}",
        f"digest: `{manifest.digest}`",
    ]
    if manifest.incomplete is not None:
        lines.insert(1, f"incomplete: {escape(manifest.incomplete)}")
    return (
        f"{escape(manifest.method.summary)}\n\n"
        + "\n".join(f"- {line}" for line in lines)
        + "\n\nPacked and checked by `bench submit`. Scores are computed anew from the "
        "attributions; the method is ranked once it was run again on circuits that "
        "did not exist when it was submitted.\n"
    )


def _code(manifest: Manifest) -> str:
    code = manifest.code
    if code is None:
        return "none, so that it cannot be run again and stays *claimed*"
    if isinstance(code, CodePackage):
        return f"`{code.requirement}`"
    return f"{code.path}, {code.bytes} bytes"
