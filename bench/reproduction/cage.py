"""How a child is started so that it sees and reaches as little as the platform allows.

On Linux, where users may make namespaces, the child has a file system of its own: the
Python installation and this package without its data, read only, the workspace, and an
empty home. It has no network and sees no other process. Elsewhere less is had, and the
record says what.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.errors import RunFailedError
from bench.reproduction.request import ANSWERS
from bench.results.reproduction_record import IsolationKind
from bench.tasks.registry import PACKAGE

INSIDE = Path("/workspace")
"""Where the workspace is for a child with a file system of its own."""
INSIDE_HOME = Path("/tmp/home")  # noqa: S108  (in its own file system)
SCRIPT = Path(__file__).with_name("cage.sh")
PROBE_S = 30.0
"""What is not up by then does not work."""
ALONE = ("--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--net")
OWN_FILES = (*ALONE, "--mount", "--ipc", "--uts")

# -I leaves out the current folder and PYTHONPATH; this package must be the parent's own
BOOT = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('bench.reproduction.child', run_name='__main__', alter_sys=True)"
)
SYSTEM = ("/usr", "/etc/ld.so.cache", "/etc/localtime")


@dataclass(frozen=True)
class Cage:
    """A way to start the child."""

    kind: IsolationKind
    runner: Path | None = None

    def command(self, scratch: Path, workspace: Path) -> list[str]:
        """Return the command line that runs the child on a workspace.

        Args:
            scratch: An empty folder, to build a file system in.
            workspace: The workspace.
        """
        if self.runner is not None:
            return [str(self.runner), str(workspace)]
        seen = INSIDE if self.kind == "namespaces" else workspace
        child = [sys.executable, "-I", "-B", "-c", BOOT, str(PACKAGE.parent), str(seen)]
        return self.wrap(child, scratch=scratch, workspace=workspace)

    def environment(self, home: Path) -> dict[str, str]:
        """Return what the command line is started with.

        Args:
            home: An empty folder.
        """
        if self.kind == "runner":
            # it is trusted, and may have to be told where its daemon listens
            return dict(os.environ)
        return scrubbed(INSIDE_HOME if self.kind == "namespaces" else home)

    def wrap(self, command: list[str], *, scratch: Path, workspace: Path) -> list[str]:
        """Put a command into the cage."""
        if self.kind == "namespaces":
            masked, answers = PACKAGE / "_data", workspace / ANSWERS
            places = [scratch, workspace, answers, masked, *_shown()]
            script = ["sh", str(SCRIPT), *map(str, places)]
            return ["unshare", *OWN_FILES, "--", *script, "--", *command]
        if self.kind == "network":
            return ["unshare", *ALONE, "--", *command]
        return command


def _shown() -> list[Path]:
    """Return what Python needs, outer folders first."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    python = {Path(sys.executable).resolve().parents[1], *map(Path, prefixes)}
    places = {PACKAGE, *python, *map(Path, SYSTEM)}
    found = sorted(place for place in places if place.exists())
    return [
        place
        for place in found
        if not any(place.is_relative_to(other) for other in found if other != place)
    ]


def find_cage(runner: Path | None, *, scratch: Path) -> Cage:
    """Choose the strongest isolation that works here.

    Args:
        runner: A program that takes a workspace and isolates by itself.
        scratch: A folder to try it in.

    Raises:
        RunFailedError: The runner is no program.
    """
    if runner is None:
        return Cage(_strongest(scratch))
    if not (runner.is_file() and os.access(runner, os.X_OK)):
        raise RunFailedError(
            f"The runner '{runner}' is not a program that can be started. Name an "
            "executable file that takes the workspace as its argument."
        )
    return Cage("runner", runner.resolve())


def _strongest(scratch: Path) -> IsolationKind:
    ladder: tuple[IsolationKind, ...] = ("namespaces", "network")
    for kind in ladder:
        if _works(kind, scratch):
            return kind
    return "process"


def _works(kind: IsolationKind, scratch: Path) -> bool:
    """Try to start Python in a cage."""
    if shutil.which("unshare") is None:
        return False
    tried = scratch / f"try-{kind}"
    root, workspace = tried / "root", tried / "workspace"
    for folder in (root, workspace / ANSWERS):
        folder.mkdir(parents=True)
    command = Cage(kind).wrap(
        [sys.executable, "-I", "-B", "-c", "pass"], scratch=root, workspace=workspace
    )
    try:
        done = subprocess.run(  # noqa: S603  (our own command)
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_S,
            check=False,
            env=scrubbed(Path("/tmp")),  # noqa: S108  (inside the cage)
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def scrubbed(home: Path) -> dict[str, str]:
    """Return the child's whole environment."""
    kept = {k: os.environ[k] for k in ("OMP_NUM_THREADS",) if k in os.environ}
    return kept | {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home),
        "USER": "nobody",
        "LANG": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
