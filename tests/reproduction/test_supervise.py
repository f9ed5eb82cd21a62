import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bench.errors import RunFailedError
from bench.reproduction import supervise as supervising
from bench.reproduction.cage import Cage, scrubbed
from bench.reproduction.request import ANSWERS, Limits
from bench.reproduction.supervise import Ended, Supervised, supervise


def run(
    tmp_path: Path, answers: int, command: list[str], limits: Limits | None = None
) -> Ended:
    """Run a command under limits."""
    job = Supervised(command, scrubbed(tmp_path), tmp_path, answers)
    return supervise(job, limits or Limits(timeout_s=30.0))


def python(source: str) -> list[str]:
    """Return the command that runs a script."""
    return [sys.executable, "-I", "-c", source]


def test_a_process_runs_to_its_end(tmp_path: Path, answers: int) -> None:
    """Its code and what it printed on either stream come back."""
    ended = run(tmp_path, answers, ["sh", "-c", "echo out; echo err >&2; exit 7"])

    assert (ended.code, ended.stopped) == (7, None)
    assert ended.output == "out\nerr\n"


def test_a_process_that_sleeps_forever_is_ended(tmp_path: Path, answers: int) -> None:
    """The limit of wall time holds for one that uses no CPU."""
    started = time.monotonic()

    ended = run(tmp_path, answers, ["sleep", "600"], Limits(timeout_s=0.5))

    assert ended.stopped == "it was not done after 0.5 s"
    assert ended.code == -9
    assert time.monotonic() - started < 60


def test_a_process_that_is_slow_to_die_keeps_its_code(
    tmp_path: Path, answers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is waited for nobody else takes its code, which can be had once."""
    kill = psutil.Process.kill

    def end(process: psutil.Process) -> None:
        with suppress(psutil.Error):
            kill(process)

    def late(process: psutil.Process) -> None:
        threading.Timer(0.02, end, [process]).start()

    monkeypatch.setattr(supervising.os, "killpg", lambda *_: None)
    monkeypatch.setattr(psutil.Process, "kill", late)

    ended = run(tmp_path, answers, ["sleep", "600"], Limits(timeout_s=0.1))

    assert ended.code == -9


DAEMON = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
with open({file!r}, "w") as file:
    file.write(str(os.getpid()))
for number in (1, 2, 15):
    __import__("signal").signal(number, __import__("signal").SIG_IGN)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux")
def test_nothing_is_left_behind(tmp_path: Path, answers: int) -> None:
    """A process that forked twice into a session of its own is ended as well."""
    file = tmp_path / "pid"
    source = DAEMON.format(file=str(file))
    started = time.monotonic()
    ended = run(tmp_path, answers, ["sh", "-c", '"$@"; sleep 1', "-", *python(source)])

    assert ended.stopped is None
    assert not psutil.pid_exists(int(file.read_text()))
    assert time.monotonic() - started < 60


def test_a_gigabyte_of_output_is_thrown_away(tmp_path: Path, answers: int) -> None:
    """The end of the output is kept, in bounded memory."""
    before = psutil.Process().memory_info().rss

    ended = run(tmp_path, answers, ["sh", "-c", "head -c 1G /dev/zero; echo last"])

    assert ended.output.endswith("last\n")
    assert len(ended.output) <= 8192
    assert psutil.Process().memory_info().rss - before < 100e6


def test_writing_much_ends_it(tmp_path: Path, answers: int) -> None:
    """Many files of an allowed size are too much together."""
    source = (
        f"cd {tmp_path / ANSWERS}; for i in $(seq 9); do head -c 1M /dev/zero >$i; done"
    )

    ended = run(
        tmp_path, answers, ["sh", "-c", source], Limits(timeout_s=30, disk_mb=4)
    )

    assert ended.stopped == "it wrote more than 4 MB or 10000 files"


def test_many_empty_files_end_it(tmp_path: Path, answers: int) -> None:
    """Files without content are counted, deep ones as well."""
    source = f"import os\nos.makedirs('{tmp_path}/answers/a/b')\n" + (
        f"for i in range(10001): open('{tmp_path}/answers/a/b/%d' % i, 'w').close()"
    )

    ended = run(tmp_path, answers, python(source))

    assert ended.stopped == "it wrote more than 64 MB or 10000 files"


def test_many_processes_end_it(tmp_path: Path, answers: int) -> None:
    """A process that goes on forking is ended with all its children."""
    source = "for i in $(seq 40); do sleep 600 & done; wait"

    ended = run(
        tmp_path, answers, ["sh", "-c", source], Limits(timeout_s=30, processes=20)
    )

    assert ended.stopped == "it ran more than 20 processes"
    assert not [
        p for p in psutil.Process().children(recursive=True) if p.name() == "sleep"
    ]


def test_memory_of_all_processes_counts(tmp_path: Path, answers: int) -> None:
    """Resident memory beyond the limit ends it, whoever of the family has it."""
    source = "import time\nx = bytearray(300_000_000)\ntime.sleep(600)"
    command = ["sh", "-c", '"$@" & wait', "-", *python(source)]

    ended = run(tmp_path, answers, command, Limits(timeout_s=30, memory_gb=0.1))

    assert ended.stopped == "it used more than 0.1 GB of memory"


def test_an_interruption_ends_it(tmp_path: Path, answers: int) -> None:
    """Ctrl-C in the parent leaves no process behind."""
    job = Supervised(["sleep", "600"], {}, tmp_path, answers)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        supervise(job, Limits(), poll=interrupt)

    assert not [p for p in psutil.Process().children() if p.name() == "sleep"]


def test_a_command_that_does_not_exist_is_reported(
    tmp_path: Path, answers: int
) -> None:
    """The message names it."""
    with pytest.raises(RunFailedError, match="'/no/such' cannot be started: No such"):
        run(tmp_path, answers, ["/no/such"])


def test_the_parent_is_out_of_reach(
    tmp_path: Path, answers: int, namespaces: None
) -> None:
    """In namespaces a process may kill all that it sees, and sees itself alone."""
    root, workspace = tmp_path / "root", tmp_path / "workspace"
    root.mkdir()
    (workspace / ANSWERS).mkdir(parents=True)
    script = "kill -9 -1; kill -9 0; kill -9 1; echo $(ls /proc | grep -c '^[0-9]')"
    command = Cage("namespaces").wrap(
        ["sh", "-c", script], scratch=root, workspace=workspace
    )

    ended = run(tmp_path, answers, command)

    assert psutil.pid_exists(os.getppid())
    assert ended.stopped is None
