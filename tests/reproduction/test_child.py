from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bench.methods.context import TaskContext
from bench.methods.discovery import find_method
from bench.reproduction.request import Answer, Limits
from bench.results.reproduction_record import IsolationKind
from bench.tasks.registry import PACKAGE
from tests.reproduction.conftest import Ran

RunChild = Callable[..., Ran]

HONEST = """\
from bench.methods.discovery import find_method
return find_method("attribution-patching").method(ctx)
"""


@pytest.mark.parametrize("kind", ["process", "namespaces"])
def test_the_child_answers_what_the_method_answers_here(
    run_child: RunChild,
    tiny_context: TaskContext,
    strongest: IsolationKind,
    kind: IsolationKind,
) -> None:
    """Model, prompts and generator survive the way into the other process."""
    if kind == "namespaces" != strongest:
        pytest.skip(f"isolation here: {strongest}")
    here = find_method("attribution-patching").method(replace(tiny_context))
    assert here.per_prompt is not None

    ran = run_child(HONEST, kind=kind)

    assert (ran.ended.code, ran.ended.stopped) == (0, None)
    for answer in ran.answers:
        assert isinstance(answer, Answer)
        np.testing.assert_allclose(answer.values or (), here.values, rtol=1e-6)
        np.testing.assert_allclose(
            np.array(answer.per_prompt), here.per_prompt, rtol=1e-5
        )


PROBES = """\
import subprocess, resource
def fails(action):
    try:
        action()
    except (Exception, SystemExit):
        return 1.0
    return 0.0
def found(*places):
    return 1.0 if any(Path(place).exists() for place in places) else 0.0
def much():
    with open(os.environ["HOME"] + "/big", "wb") as file:
        for _ in range(10_000):
            file.write(bytes(1_000_000))
def raised():
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**40, 2**40))
"""


def probe(
    run_child: RunChild, expressions: list[str], kind: IsolationKind
) -> list[float]:
    """Let a method report as its answer what it can do; one number each, four."""
    values = ", ".join(expressions)
    body = f"{PROBES}return LayerAttribution(values=np.array([{values}]))"

    ran = run_child(body, kind=kind, limits=Limits(timeout_s=120, memory_gb=6))

    assert isinstance(ran.answers[0], Answer), ran.answers
    return list(ran.answers[0].values or ())


def test_limits_hold_in_the_process_itself(
    run_child: RunChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 GB on disk or in memory cannot be had; the environment is not passed on."""
    monkeypatch.setenv("BENCH_SECRET", "1")

    assert probe(
        run_child,
        [
            "fails(much)",
            "fails(lambda: bytearray(10 * 2**30))",
            "float(len(set(os.environ) & {'PYTHONPATH', 'BENCH_SECRET'}))",
            "float(resource.getrlimit(resource.RLIMIT_CORE)[1])",
        ],
        "process",
    ) == [1.0, 1.0, 0.0, 0.0]


def test_namespaces_hide_the_machine(run_child: RunChild, namespaces: None) -> None:
    """No repository, no network, no other process, nothing to write to for long."""
    root = PACKAGE.parent

    assert probe(
        run_child,
        [
            f"found('{root}/tasks', '{root}/reference_results', '{root}/.git')",
            "fails(lambda: socket.create_connection(('127.0.0.1', 22), 1)) "
            "* fails(lambda: socket.getaddrinfo('example.org', 80)) "
            "* float(len(os.listdir('/sys')) == 0 if os.path.isdir('/sys') else 1)",
            "float(len([p for p in os.listdir('/proc') if p.isdigit()]))",
            f"fails(lambda: open('{PACKAGE}/api.py', 'a')) "
            "* fails(lambda: open('/workspace/request.json', 'a')) "
            "* fails(lambda: open('/new', 'w')) * fails(much) "
            "* fails(lambda: subprocess.run(['mount', '-o', 'remount,rw', '/'], "
            "check=True)) * float(os.getppid() == 0)",
        ],
        "namespaces",
    ) == [0.0, 1.0, 1.0, 1.0]


def test_the_child_is_told_nothing_that_names_a_circuit(
    run_child: RunChild,
) -> None:
    """The workspace holds models, prompts and a seed of the method, no names."""
    ran = run_child("raise ValueError('no')")

    files = sorted(
        str(path.relative_to(ran.workspace))
        for path in ran.workspace.rglob("*")
        if path.is_file() and "answers" not in path.parts
    )
    circuit = ["config.json", "model.safetensors", "prompts.safetensors", "seed"]
    assert files == [
        *(f"circuits/{n:03d}/{name}" for n in range(2) for name in circuit),
        "method.py",
        "request.json",
    ]
    text = "".join(
        (ran.workspace / file).read_text()
        for file in files
        if not file.endswith((".safetensors", ".py"))
    )
    assert not any(word in text for word in ("tiny", "planted", "name_or_path", "sha"))


def test_a_method_that_raises_leaves_its_message(run_child: RunChild) -> None:
    """One circuit's failure does not keep others from being answered."""
    ran = run_child("raise ValueError('no circuit here')")

    assert ran.ended.code == 0
    assert all("ValueError: no circuit here" in str(answer) for answer in ran.answers)


def test_a_method_that_cannot_be_loaded_leaves_its_message(run_child: RunChild) -> None:
    """Whatever happens while the file is loaded, every answer says it."""
    ran = run_child("return None", before="raise SystemExit(0)\n")

    assert all("raised SystemExit while it was" in str(a) for a in ran.answers)


def test_changing_json_in_the_child_fools_nobody(run_child: RunChild) -> None:
    """The parent reads with its own eyes."""
    ran = run_child(
        "import json\n"
        "json.dumps = lambda *_, **__: '{\"values\": [NaN, NaN, NaN, NaN]}'\n"
        "return LayerAttribution(values=np.ones(4))"
    )

    assert all("every number must be finite" in str(answer) for answer in ran.answers)


def test_an_early_exit_leaves_circuits_unanswered(run_child: RunChild) -> None:
    """Answers written ahead are the method's answers, and the rest is missing."""
    ran = run_child(
        "folder = Path(sys.modules[mine.function.__module__].__file__).parent\n"
        "(folder / 'answers' / '001.json').write_text('{\"values\": [1, 2, 3, 4]}')\n"
        "os._exit(5)"
    )

    assert ran.ended.code == 5
    assert ran.answers[0] == "there is no answer"
    assert isinstance(ran.answers[1], Answer)


def test_an_answer_ahead_is_overwritten(run_child: RunChild) -> None:
    """A method that is asked again answers again; links in its way are replaced."""
    ran = run_child(
        "folder = Path(sys.modules[mine.function.__module__].__file__).parent\n"
        "ahead = folder / 'answers' / '001.json'\n"
        "ahead.exists() or ahead.symlink_to('/etc/passwd')\n"
        "return LayerAttribution(values=np.ones(4))"
    )

    assert isinstance(ran.answers[1], Answer)
