import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from bench.errors import FileFormatError, UserError
from bench.evaluation.own_task import Wanted, write_own_task
from bench.models.inspection import Inspected
from bench.tasks.prompts import Prompt, prompt_lines
from bench.tasks.spec import read_task

Make = Callable[..., Inspected]
Want = Callable[..., Wanted]

NO_FIRST = (
    r"model' names no token that begins a text\. Choose one with --bos, such as the id "
    r"of its end-of-text token\.$"
)
TOO_LONG = "^The prompts have 17 tokens; the model's context holds 16"
PICKLED = (
    r"model' holds no \*\.safetensors\. Pickled weights are never read: load the model "
    r"where you trust it and write it with save_pretrained\.$"
)
TOO_FEW = (
    r"texts\.txt' holds 19 passages; 20 are needed: 3 for discovery, 17 for "
    r"reference\.$"
)
TOO_NARROW = (
    "^Two fresh halves of 8 distinct tokens need 16 ordinary tokens; the range holds "
)


Options = dict[str, Any]
Case = tuple[Options, Options, str | None, str]
"""What the model is, what is wanted, where prompts come from, and the message."""


@pytest.mark.parametrize(
    "case",
    [
        ({"words": False, "bos_token_id": None}, {}, None, NO_FIRST),
        ({"words": False}, {}, "texts", "has no tokenizer, so"),
        ({}, {"discovery": 3}, "texts", TOO_FEW),
        ({}, {"period": 10}, "texts", "passage 19: 9 tokens, 10 are needed"),
        ({}, {"tokens": (20, 34)}, None, TOO_NARROW + r"15\. Choose a smaller"),
        ({}, {"tokens": (34, 20)}, None, TOO_NARROW + r"-13\. Choose a smaller"),
        ({}, {"tokens": (0, 34)}, None, "^Token 0 begins the prompts and lies among"),
        (
            {"words": False, "vocab_size": 2, "eos_token_id": 1},
            {},
            None,
            r"model' has special tokens alone, none to draw from\.$",
        ),
        ({}, {"period": 30}, None, r"need 60 ordinary tokens; the range holds 59\. "),
        ({"n_positions": 16}, {}, None, TOO_LONG),
        ({"n_positions": 16}, {}, "texts", TOO_LONG),
        ({"n_positions": 16}, {}, "brought", TOO_LONG),
        ({}, {"bos": 60}, None, r"begin with is 60; those of .* are 0 to 59\. Choose"),
        (
            {"words": False, "bos_token_id": -1},
            {},
            None,
            r"begin with is -1; those of ",
        ),
        (
            {},
            {"tokens": (45, 60)},
            None,
            r"ends at 60; the model's .* at 59\. Choose a",
        ),
        ({"vocab_size": 58}, {}, "texts", "hold token 59; the model's vocabulary ends"),
        ({"vocab_size": 39}, {}, "brought", "hold token 39; the model's vocabulary"),
        ({"weights": "pytorch_model.bin"}, {}, None, PICKLED),
    ],
)
def test_what_is_not_usable(
    case: Case, make: Make, want: Want, folder: Path, request: pytest.FixtureRequest
) -> None:
    """A user error says what is wrong, and nothing is written."""
    model, wanted, source, message = case
    files: dict[str, Path] = {}
    if source is not None:
        option = "prompts" if source == "brought" else "texts"
        files[option] = request.getfixturevalue(source)

    with pytest.raises(UserError, match=message):
        write_own_task(folder, "mine", make(**model), want(**wanted), **files)
    assert not folder.exists()


def test_a_tokenizer_without_a_first_token(
    make: Make,
    want: Want,
    read_words: Callable[[str | None], PreTrainedTokenizerFast],
    folder: Path,
    texts: Path,
) -> None:
    """Texts for a model that names no first token need one chosen, which is taken."""
    made = make(bos_token_id=None)
    model = Inspected(made.name, made.config, read_words(None))
    with pytest.raises(UserError, match=NO_FIRST):
        write_own_task(folder, "mine", model, want(), texts=texts)
    assert not folder.exists()

    wanted = want(bos=0)
    path = write_own_task(folder, "mine", model, wanted, texts=texts)
    prompts = read_task(path).read_prompts("discovery")
    assert {prompt.input_ids[0] for prompt in prompts} == {0}


def test_the_longest_prompts_that_fit(make: Make, want: Want, folder: Path) -> None:
    """A context as long as the prompts is long enough."""
    model = make(n_positions=17)

    assert write_own_task(folder, "mine", model, want()).is_file()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xfa"])
def test_texts_that_cannot_be_read(
    content: bytes | None, make: Make, want: Want, folder: Path, texts: Path
) -> None:
    """A missing file and one that is no text are refused by name."""
    texts.unlink()
    if content is not None:
        texts.write_bytes(content)

    with pytest.raises(FileFormatError, match=rf"^'{texts}' cannot be read: ."):
        write_own_task(folder, "mine", make(), want(), texts=texts)
    assert not folder.exists()


@pytest.mark.parametrize("split", ["discovery", "reference"])
def test_brought_prompts_of_one_split(
    split: str,
    make: Make,
    want: Want,
    folder: Path,
    brought: Path,
    tiny_prompts: tuple[Prompt, ...],
) -> None:
    """Methods and the reference both need prompts."""
    others = [prompt for prompt in tiny_prompts if prompt.split != split]
    brought.write_bytes(prompt_lines(others))

    expected = re.escape(f"holds no prompt of the split '{split}'.")
    with pytest.raises(FileFormatError, match=f"{expected}$"):
        write_own_task(folder, "mine", make(), want(), prompts=brought)
    assert not folder.exists()


def test_an_existing_task_is_left_alone(make: Make, want: Want, folder: Path) -> None:
    """A second task in the same folder is refused, the first stays as it is."""
    write_own_task(folder, "mine", make(), want())
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    with pytest.raises(UserError, match=r"exists already and was left alone\. Name a"):
        write_own_task(folder, "mine", make(), want(seed=6))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert set(before) == {"task.toml", "prompts.jsonl"}
