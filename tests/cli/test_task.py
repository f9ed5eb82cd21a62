import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from bench.tasks.drawing import RepeatedRandom
from bench.tasks.prompts import Prompt
from bench.tasks.registry import data_root
from bench.tasks.spec import read_task

Bench = Callable[..., Any]

# in the present folder: the model of 40 tokens in model, its prompts in prompts.jsonl
pytestmark = pytest.mark.usefixtures("task_file")

INIT = ["task", "init", "mine", "--model", "model"]
FEW = ["--period", "8", "--discovery", "2", "--reference", "17"]


def test_init(bench: Bench, tmp_path: Path) -> None:
    """The path is on stdout, the next step on stderr, and the task is there."""
    ran = bench(*INIT, root=False)

    assert (ran.code, ran.out) == (0, "mine/task.toml\n")
    assert ran.err == (
        "Next: bench reference compute mine/task.toml, then bench evaluate METHOD "
        "--task mine/task.toml\n"
    )
    task = read_task(Path("mine/task.toml"))
    assert task.id == "induction/mine"
    assert task.local_model_folder == tmp_path / "model"
    assert task.spec.prompts.recipe == RepeatedRandom(
        kind="repeated-random",
        seed=0,
        period=16,
        bos=1,
        first_token=3,  # 1 begins and 2 ends a text
        last_token=39,
        discovery=32,
        reference=32,
    )
    assert len(task.read_prompts("reference")) == 32


def test_init_with_every_option(bench: Bench) -> None:
    """What prompts shall be is passed on, and the folder's name is the task's."""
    ran = bench(
        *("task", "init", "some/where/else-2", "--model", "model", *FEW, "--seed", "7"),
        *("--bos", "39", "--first-token", "10", "--last-token", "30"),
        root=False,
    )

    assert (ran.code, ran.out) == (0, "some/where/else-2/task.toml\n")
    spec = read_task(Path("some/where/else-2/task.toml")).spec
    assert spec.name == "else-2"
    assert spec.prompts.recipe == RepeatedRandom(
        kind="repeated-random",
        seed=7,
        period=8,
        bos=39,
        first_token=10,
        last_token=30,
        discovery=2,
        reference=17,
    )


def test_init_here(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder may be the present one, whose name is the task's."""
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    ran = bench("task", "init", ".", "--model", "../model", root=False)

    assert (ran.code, ran.out) == (0, "task.toml\n")
    assert read_task(Path("task.toml")).spec.name == "mine"


def test_init_from_texts(bench: Bench, tmp_path: Path) -> None:
    """Passages of a file are repeated."""
    words = [f"w{number}" for number in range(40)]
    plain: Any = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, "w0"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain)
    tokenizer.save_pretrained(tmp_path / "model")
    passages = [" ".join(words[n : n + 8]) for n in (3, 11, 19, 27)] * 5
    Path("texts.txt").write_text("\n".join(passages))
    ran = bench(*INIT, *FEW, "--texts", "texts.txt", root=False)

    assert (ran.code, ran.out) == (0, "mine/task.toml\n")
    task = read_task(Path("mine/task.toml"))
    first = task.read_prompts("discovery")[0]
    assert first.input_ids == (1, *range(3, 11), *range(3, 11))
    assert task.spec.prompts.recipe is None


def test_init_with_prompts(bench: Bench, tiny_prompts: tuple[Prompt, ...]) -> None:
    """Prompts are taken as they are."""
    ran = bench(*INIT, "--prompts", "prompts.jsonl", root=False)

    assert (ran.code, ran.out) == (0, "mine/task.toml\n")
    task = read_task(Path("mine/task.toml"))
    found = task.read_prompts("discovery") + task.read_prompts("reference")
    assert found == tiny_prompts


def test_init_on_a_revision(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A branch of a hub model is pinned by its commit, not by another's."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    root = tmp_path / "hub" / "models--some-owner--tiny"
    (root / "refs").mkdir(parents=True)
    for branch, commit in (("main", "01" * 20), ("early", "02" * 20)):
        (root / "refs" / branch).write_text(commit)
        shutil.copytree(tmp_path / "model", root / "snapshots" / commit)
    line = ["task", "init", "mine", "--model", "some-owner/tiny"]
    ran = bench(*line, "--revision", "early", root=False)

    assert (ran.code, ran.out) == (0, "mine/task.toml\n")
    source = read_task(Path("mine/task.toml")).spec.model
    assert (source.hub, source.revision) == ("some-owner/tiny", "02" * 20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--texts", "a", "--prompts", "b"],
            "--texts and --prompts exclude each other; give one of them.\n",
        ),
        (
            ["--first-token", "1"],
            "--first-token and --last-token go together; give both.\n",
        ),
        (
            ["--last-token", "1"],
            "--first-token and --last-token go together; give both.\n",
        ),
        (
            ["--first-token", "2", "--last-token", "21"],
            "Two fresh halves of 16 distinct tokens need 32 ordinary tokens; the range "
            "holds 20. Choose a smaller period or more tokens.\n",
        ),
        (
            ["--bos", "40"],
            "The token to begin with is 40; those of 'model' are 0 to 39. Choose one "
            "with --bos.\n",
        ),
        (
            ["--period", "32", "--first-token", "2", "--last-token", "65"],
            "The range of tokens ends at 65; the model's vocabulary ends at 39. Choose "
            "a smaller --last-token.\n",
        ),
        (
            ["--prompts", "a", "--period", "16", "--bos", "1"],
            "--period, --bos: this has no effect on --prompts. Leave it out.\n",
        ),
        (
            ["--texts", "a", "--last-token", "9"],
            "--last-token: this has no effect on --texts. Leave it out.\n",
        ),
        (
            ["--revision", "main"],
            "'model' is a folder, which has no revision 'main'. Leave out --revision, "
            "or name a hub model.\n",
        ),
        (
            ["--period", "32", "--first-token", "2", "--last-token", "39"],
            "Two fresh halves of 32 distinct tokens need 64 ordinary tokens; the range "
            "holds 38. Choose a smaller period or more tokens.\n",
        ),
        (
            ["--texts", "none.txt"],
            "'none.txt' cannot be read: there is no such file.\n",
        ),
        (
            ["--prompts", "none.jsonl"],
            "'none.jsonl' cannot be read: No such file or directory.\n",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_init_refuses(options: list[str], message: str, bench: Bench) -> None:
    """A user error is one message, exit code 2, and no task."""
    ran = bench(*INIT, *options, root=False)

    assert (ran.code, ran.out, ran.err) == (2, "", message)
    assert not Path("mine").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--period", "7"),
        ("--discovery", "1"),
        ("--reference", "16"),
        ("--bos", "-1"),
        ("--first-token", "-1"),
        ("--last-token", "-1"),
        ("--seed", "-1"),
    ],
)
def test_init_refuses_numbers(option: str, value: str, bench: Bench) -> None:
    """A number that no task could have is a usage error that names its option."""
    ran = bench(*INIT, option, value, root=False)

    assert (ran.code, ran.out) == (2, "")
    assert f"Invalid value for '{option}'" in ran.err
    assert not Path("mine").exists()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (["init", "mine"], "missing option '--model'"),
        (["init", "--model", "model"], "missing argument 'folder'"),
    ],
)
def test_init_needs(line: list[str], named: str, bench: Bench) -> None:
    """A task needs a folder and a model."""
    ran = bench("task", *line, root=False)

    assert (ran.code, ran.out) == (2, "")
    assert named in ran.err.lower()


def test_init_without_a_tokenizer(bench: Bench) -> None:
    """Texts for a model of bare token ids are refused with both ways out."""
    Path("texts.txt").write_text("w1 w2\n" * 64)
    ran = bench(*INIT, "--texts", "texts.txt", root=False)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "'model' has no tokenizer, so text prompts cannot be made for it. Put its "
        "tokenizer files beside config.json, or bring prompts of token ids "
        "(--prompts).\n"
    )
    assert not Path("mine").exists()


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("no/such/folder", "'no/such/folder' is no folder, and as a hub model it is "),
        ("no-such-owner/no-such-model", "'no-such-owner/no-such-model' is no folder, "),
    ],
)
def test_init_on_a_model_that_is_not_there(name: str, start: str, bench: Bench) -> None:
    """A model that cannot be had is something that failed, with exit code 1."""
    ran = bench("task", "init", "mine", "--model", name, root=False)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(start)
    assert ran.err.count("\n") == 1
    assert not Path("mine").exists()


def test_init_on_other_models(bench: Bench, tmp_path: Path) -> None:
    """Unknown types, pickles and broken configurations are refused, each by name."""
    model = tmp_path / "model"
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    ran = bench(*INIT, root=False)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("'model' holds no *.safetensors. Pickled weights are ")

    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    ran = bench(*INIT, root=False)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Models of type 'bert' are not known. Known: gemma2, ")

    (model / "config.json").write_text("{")
    ran = bench(*INIT, root=False)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("The configuration in 'model' cannot be read: ")
    assert not Path("mine").exists()


@pytest.mark.parametrize("name", ["small-gemma2", "small-gpt2", "small-llama"])
def test_init_on_the_models_of_the_benchmark(name: str, bench: Bench) -> None:
    """The models that come with the benchmark are models like any other."""
    model = data_root() / "tasks" / "models" / name
    ran = bench("task", "init", "mine", "--model", model, "--bos", "0", root=False)

    assert ran.code == 0
    recipe = read_task(Path("mine/task.toml")).spec.prompts.recipe
    assert recipe is not None
    assert (recipe.bos, recipe.first_token, recipe.last_token) == (0, 1, 128)


def test_init_in_the_models_own_folder(bench: Bench) -> None:
    """A task among the model's files would have its own files digested."""
    ran = bench("task", "init", "model", "--model", "model", root=False)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "'model' is the model's own folder; its digests would cover the task's files, "
        "too. Name another folder.\n"
    )
    assert not Path("model/task.toml").exists()


@pytest.mark.parametrize("name", ["task.toml", "prompts.jsonl"])
def test_init_leaves_files_alone(name: str, bench: Bench) -> None:
    """A task or a prompt file that is there is never written over."""
    Path("mine").mkdir()
    (Path("mine") / name).write_text("mine")
    ran = bench(*INIT, root=False)

    assert (ran.code, ran.out) == (2, "")
    expected = "exists already and was left alone. Name a new folder.\n"
    assert ran.err == f"'mine/{name}' {expected}"
    assert [file.name for file in Path("mine").iterdir()] == [name]
    assert (Path("mine") / name).read_text() == "mine"


def test_init_refuses_names(bench: Bench) -> None:
    """The folder's name has to be one for a task."""
    ran = bench("task", "init", "My_Task", "--model", "model", root=False)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("'My_Task' cannot name a task: use lower-case letters,")
    assert not Path("My_Task").exists()


def test_init_without_torch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at a model needs a part of the installation, and says which."""
    monkeypatch.setitem(sys.modules, "bench.models.inspection", None)
    ran = bench(*INIT, root=False)

    assert ran.code == 2
    assert ran.err.endswith("pip install 'induction-bench[run]'\n")
