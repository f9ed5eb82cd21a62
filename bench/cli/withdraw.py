"""``bench withdraw``: take a submission back."""

from typing import Annotated

import typer

from bench.cli.options import BaseBranch, NoGit, Root, Write, writable_root
from bench.cli.pull_request import Delivery, Proposal, deliver
from bench.cli.trusted import built_in_names
from bench.errors import UnknownNameError, UserError
from bench.leaderboard.markdown import escape
from bench.results.store import to_json
from bench.submissions.manifest import (
    FOLDER,
    LONGEST_REASON,
    MANIFEST,
    WITHDRAWAL,
    Manifest,
)
from bench.submissions.withdrawal import Withdrawal
from bench.tasks.one_line import check_reason
from bench.tasks.strict_json import check_strict_json


def withdraw(
    name: Annotated[str, typer.Argument(help="The submission, by its method's name.")],
    reason: Annotated[
        str, typer.Option(help="Why; shown on the leaderboard and in the ledger.")
    ],
    write: Write = False,
    no_git: NoGit = False,
    base: BaseBranch = None,
    root: Root = None,
) -> None:
    """Take a submission back, and say why.

    Its folder then says so, and nothing else. With --write a branch with one commit is
    made; nothing is ever pushed.
    """
    delivery = Delivery(writable_root(root), write=write, git=not no_git, base=base)
    check_reason(reason, what="The reason of the withdrawal", longest=LONGEST_REASON)
    if name in built_in_names():
        raise UserError(
            f"'{name}' is a built-in method, which nobody submitted. A maintainer "
            "removes it together with its code."
        )
    digest = _manifest(name, delivery).digest
    left = Withdrawal(method=name, digest=digest, reason=reason)
    body = (
        f"{escape(reason)}\n\n- withdrawn: `{digest}`\n\n"
        "Written by `bench withdraw`. The ledger keeps what was there.\n"
    )
    files = {WITHDRAWAL: to_json(left)}
    deliver(Proposal(name, f"Withdraw {name}", body, files), delivery)


def _manifest(name: str, delivery: Delivery) -> Manifest:
    """Read what is to be withdrawn, as it is on the branch to start from.

    Raises:
        UnknownNameError: There is no such submission.
        UserError: It was withdrawn already.
        FileFormatError: Its manifest is malformed.
    """
    names = delivery.names()
    if name not in names:
        repository, where = delivery.repository, ""
        if repository is not None:
            branch = repository.base(delivery.base).name
            where = f" Looked on the branch {branch}; another one: --base BRANCH."
        known = set(names) - built_in_names()
        raise UnknownNameError("submission", name, known, advice=where)
    data = delivery.read(name, MANIFEST)
    if data is None and delivery.read(name, WITHDRAWAL) is not None:
        raise UserError(f"'{name}' was withdrawn already.")
    file = f"{FOLDER}/{name}/{MANIFEST}"
    if data is None:
        raise UserError(f"'{file}' does not exist: there is nothing to withdraw.")
    check_strict_json(data, file=file)
    return Manifest.parse(data, file=file)
