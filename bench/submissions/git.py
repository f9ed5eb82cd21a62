"""Run git where nothing that a repository or a hook's caller configures is obeyed.

No hook, monitor or pager is started, no replacement of objects is looked at, and the
repository is the one of the folder, whatever the environment says.
"""

import os
import subprocess
from pathlib import Path

from bench.errors import UserError

_SETTINGS = ("core.fsmonitor=", f"core.hooksPath={os.devnull}", "core.pager=cat")
_OPTIONS = [option for setting in _SETTINGS for option in ("-c", setting)]
_ELSEWHERE = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)
"""Variables that would lead git to another repository; hooks are run with them."""
_OWN = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
SECONDS = 120
"""After which git is stopped."""


def run_git(
    folder: Path, *arguments: str, data: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder, with data on its standard input.

    Raises:
        UserError: git is not installed, the folder is not there, or git did not
            end.
    """
    kept = {k: v for k, v in os.environ.items() if k not in _ELSEWHERE}
    try:
        return subprocess.run(  # noqa: S603
            ["git", "--no-replace-objects", *_OPTIONS, *arguments],  # noqa: S607
            cwd=folder,
            input=data,
            capture_output=True,
            timeout=SECONDS,
            env=kept | _OWN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"git could not be run in '{folder}': {error}.") from None
