"""A machine that runs jobs: an own folder, few programs, and three stand-ins.

What a workflow runs is run as it stands. Three programs are not the real ones, as they
would reach for the network: ``python -m pip install`` makes `bench` start from the tree
that was to be installed, ``docker`` starts the image's command here, and ``gh`` notes
what it was asked for.
"""

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SYSTEM_PATH = os.pathsep.join(
    folder
    for folder in os.environ["PATH"].split(os.pathsep)
    if not (Path(folder) / "bench").exists()
)

PYTHON = """\
#!/bin/bash
if [[ "$1 $2 $3" == "-m pip install" ]]; then
  shift 3
  exec {python} -I {here}/stand_ins/pip.py {machine} "$@"
fi
if [[ -f {machine}/installed ]]; then
  export PYTHONPATH="$(cat {machine}/installed)"
fi
exec {python} "$@"
"""

STAND_IN = """\
#!/bin/bash
exec {python} -I {here}/stand_ins/{name}.py {machine} "$@"
"""


@dataclass(frozen=True)
class Machine:
    """The folders of one job."""

    folder: Path
    notes: Path
    """Where the stand-ins write down what they were asked for."""

    @property
    def workspace(self) -> Path:
        """Where checkouts go and steps start."""
        return self.folder / "work"

    @property
    def temp(self) -> Path:
        """``runner.temp``."""
        return self.folder / "temp"

    def start(self) -> None:
        """Make the folders and the programs."""
        programs = self.folder / "programs"
        for folder in (self.workspace, self.temp, self.folder / "home", programs):
            folder.mkdir(parents=True)
        self.notes.mkdir(parents=True, exist_ok=True)
        (self.folder / "notes").symlink_to(self.notes)
        texts = {"python": PYTHON} | dict.fromkeys(("docker", "gh"), STAND_IN)
        for name, text in texts.items():
            words = {"python": sys.executable, "here": HERE, "machine": self.folder}
            quoted = {key: shlex.quote(str(word)) for key, word in words.items()}
            program = programs / name
            program.write_text(text.format(name=name, **quoted))
            program.chmod(0o755)

    def environment(self) -> dict[str, str]:
        """Return what every step of the job starts from."""
        return {
            "PATH": f"{self.folder / 'programs'}{os.pathsep}{SYSTEM_PATH}",
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "CI": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temp),
            # one core, and no network
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
        }
