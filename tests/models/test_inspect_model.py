"""Reading what a model says of itself, from folders and from the hub's cache."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoTokenizer, GPT2Config, PreTrainedTokenizerFast

from bench.errors import FileFormatError, ModelUnavailableError, UserError
from bench.models.architectures.registry import KNOWN
from bench.models.inspection import inspect_model
from bench.models.memory import count_parameters

NAME = "some-owner/tiny"
SHA = "0123456789abcdef0123456789abcdef01234567"

Configure = Callable[..., GPT2Config]
Train = Callable[..., PreTrainedTokenizerFast]


@pytest.fixture
def folder(tmp_path: Path, configure: Configure) -> Path:
    """A folder with a configuration alone."""
    configure().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def cached(hub_cache: Callable[[str, str], Path], configure: Configure) -> Path:
    """The folder of a hub model's one commit, with a configuration alone."""
    commit = hub_cache(NAME, SHA)
    configure().save_pretrained(commit)
    return commit


def edit_config(folder: Path, **changes: object) -> None:
    """Change keys of a configuration."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refuse_config(folder: Path) -> None:
    """Check that the configuration in a folder is refused with the folder's name."""
    with pytest.raises(
        FileFormatError, match=rf"^The configuration in '{folder}' cannot be read: ."
    ):
        inspect_model(str(folder))


def refuse_tokenizer(folder: Path, files: str) -> None:
    """Check that the tokenizer in a folder is refused with its files."""
    with pytest.raises(
        FileFormatError,
        match=rf"^The tokenizer of '{folder}' \({re.escape(files)}\) cannot be read "
        r"\(\w+: .*\)\. Mend it, or use a copy of the model without these files to "
        r"work with token ids alone\.$",
    ):
        inspect_model(str(folder))


def test_a_folder_with_a_tokenizer(
    folder: Path, configure: Configure, train_tokenizer: Train
) -> None:
    """Configuration and tokenizer are read; a folder is of no revision."""
    train_tokenizer().save_pretrained(folder)
    found = inspect_model(str(folder))

    assert (found.name, found.architecture, found.blocks) == (str(folder), "gpt2", 3)
    assert found.parameters == count_parameters(configure())
    assert found.revision is None
    assert (found.bos, found.ordinary) == (0, (2, 49))
    ids = train_tokenizer().encode("the fox", add_special_tokens=False)
    assert found.tokenize("the fox") == ids


def test_a_folder_without_a_tokenizer(folder: Path) -> None:
    """A model of bare token ids has no tokenizer, which is no error."""
    found = inspect_model(str(folder))

    assert found.tokenizer is None
    assert (found.bos, found.ordinary) == (None, (0, 63))


@pytest.mark.parametrize(
    "content", [b"{", b"", b"null", b"[]", b"\xff\xfe", b'{"model": {"type": "odd"}}']
)
def test_a_broken_tokenizer_is_refused(
    content: bytes, folder: Path, train_tokenizer: Train
) -> None:
    """A tokenizer that cannot be read is not taken for one that is not there."""
    train_tokenizer().save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(content)

    refuse_tokenizer(folder, "tokenizer.json, tokenizer_config.json")


@pytest.mark.parametrize("content", ["{", "null", "[]", '{"tokenizer_class": 7}'])
def test_a_broken_description_of_a_tokenizer(content: str, folder: Path) -> None:
    """What says which tokenizer it is has to make sense, too."""
    (folder / "tokenizer_config.json").write_text(content)

    refuse_tokenizer(folder, "tokenizer_config.json")


@pytest.mark.parametrize("architecture", sorted(KNOWN))
def test_no_tokenizer_is_made_up(architecture: str, tmp_path: Path) -> None:
    """Where there are no files there is no tokenizer, whatever transformers makes up.

    For some architectures it makes one of special tokens alone, and no ordinary token
    would be left to draw prompts from.
    """
    sizes = {"vocab_size": 64, "num_hidden_layers": 2, "hidden_size": 16}
    config = AutoConfig.for_model(architecture, **sizes, num_attention_heads=2)
    config.save_pretrained(tmp_path)
    found = inspect_model(str(tmp_path))
    first, last = found.ordinary

    assert found.tokenizer is None
    assert last - first > 32


def test_a_tokenizer_that_needs_a_package(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tokenizer is missing is passed on in one line."""

    def load(*_: object, **__: object) -> None:
        raise ImportError("It needs\n  the package abacus.")

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", load)
    with pytest.raises(
        UserError,
        match=rf"^The tokenizer of '{folder}' needs a package \(ImportError: It needs "
        r"the package abacus\.\)\.$",
    ):
        inspect_model(str(folder))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"n_layer": 0}, "0 blocks and 64"),
        ({"n_layer": 1001}, "1001 blocks and 64"),
        ({"vocab_size": 1}, "3 blocks and 1"),
        ({"vocab_size": 10**15}, f"3 blocks and {10**15}"),
    ],
)
def test_sizes_that_no_model_has(
    changes: dict[str, int], found: str, folder: Path
) -> None:
    """Sizes beyond those of any model are refused before one is built."""
    edit_config(folder, **changes)

    with pytest.raises(
        FileFormatError,
        match=rf"^The configuration of '{folder}' names {found} tokens; a model has "
        r"1 to 1000 blocks and 2 to 10000000 tokens\.$",
    ):
        inspect_model(str(folder))


@pytest.mark.parametrize(
    "changes", [{"activation_function": "nonsense"}, {"n_head": 3}, {"n_embd": -8}]
)
def test_a_configuration_that_no_model_can_have(
    changes: dict[str, object], folder: Path
) -> None:
    """What transformers stumbles over when it builds a model is found early."""
    edit_config(folder, **changes)

    expected = f"^No model can be built from the configuration of '{folder}': ."
    with pytest.raises(FileFormatError, match=expected):
        inspect_model(str(folder))


def test_a_folder_has_no_revision(folder: Path) -> None:
    """Asking a folder for a revision is an error, not something to pass over."""
    with pytest.raises(
        UserError,
        match=rf"^'{folder}' is a folder, which has no revision 'main'\. Leave out "
        r"--revision, or name a hub model\.$",
    ):
        inspect_model(str(folder), revision="main")


@pytest.mark.parametrize("content", ["null", "3", "[]", "{}"])
def test_a_configuration_that_is_none(content: str, folder: Path) -> None:
    """JSON that is no configuration is refused like a file that is no JSON."""
    (folder / "config.json").write_text(content)

    refuse_config(folder)


@pytest.mark.parametrize(
    "changes",
    [{"dtype": "float99"}, {"model_type": ["gpt2"]}],
)
def test_a_configuration_that_makes_no_sense(
    changes: dict[str, object], folder: Path
) -> None:
    """Whatever transformers stumbles over is one message with the folder's name."""
    edit_config(folder, **changes)

    refuse_config(folder)


def test_no_configuration(tmp_path: Path) -> None:
    """A folder that is no model's is refused by name."""
    refuse_config(tmp_path)


@pytest.mark.parametrize(
    "content", [b"{", b"\xff\xfe", b"[]", b"{}", b'{"model_type": "perceptron"}']
)
def test_a_broken_configuration(folder: Path, content: bytes) -> None:
    """A configuration that cannot be understood is refused with its folder."""
    (folder / "config.json").write_bytes(content)

    refuse_config(folder)


def test_a_value_of_the_wrong_type(folder: Path) -> None:
    """A configuration with a word for a number is refused with its folder."""
    edit_config(folder, n_layer="two")

    refuse_config(folder)


def test_unknown_architecture(folder: Path) -> None:
    """A model type that transformers knows and we do not is refused with ours."""
    edit_config(folder, model_type="mistral")

    with pytest.raises(UserError, match=r"^Models of type 'mistral' are not known\."):
        inspect_model(str(folder))


@pytest.fixture
def trap(folder: Path) -> Path:
    """A file that exists as soon as code that came with the model was run."""
    marker = folder.parent / "ran"
    code = f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
    for name in ("configuration", "modeling", "tokenization"):
        (folder / f"{name}_trap.py").write_text(code)
    classes = {"AutoConfig": "configuration_trap.TrapConfig"}
    classes["AutoModelForCausalLM"] = "modeling_trap.TrapForCausalLM"
    edit_config(folder, auto_map=classes)
    return marker


def test_code_of_an_unknown_model_never_runs(trap: Path, folder: Path) -> None:
    """A model that needs code of its own is refused, its code unread."""
    edit_config(folder, model_type="trap")

    with pytest.raises(FileFormatError, match=r"contains custom code"):
        inspect_model(str(folder))
    assert not trap.exists()


def test_code_of_a_known_model_never_runs(trap: Path, folder: Path) -> None:
    """A model that brings code which it does not need is read without it."""
    found = inspect_model(str(folder))

    assert (found.architecture, found.tokenizer) == ("gpt2", None)
    assert not trap.exists()


def test_code_of_a_tokenizer_never_runs(trap: Path, folder: Path) -> None:
    """A tokenizer that needs code of its own is refused, its code unread."""
    tokens = {"AutoTokenizer": ["tokenization_trap.TrapTokenizer", None]}
    own = {"tokenizer_class": "TrapTokenizer", "auto_map": tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(own))

    with pytest.raises(FileFormatError, match=r"^The tokenizer of .*cannot be read"):
        inspect_model(str(folder))
    assert not trap.exists()


def test_neither_folder_nor_cached() -> None:
    """A name that is nothing here says what was tried and why it failed."""
    with pytest.raises(
        ModelUnavailableError,
        match=r"^'no-such-owner/no-such-model' is no folder, and as a hub model it is "
        "neither cached nor could it be fetched: .",
    ):
        inspect_model("no-such-owner/no-such-model")


@pytest.mark.parametrize("name", ["/no/such/folder", "no such", "a/b/c", "x" * 300])
def test_no_name_of_a_hub_model(name: str) -> None:
    """A mistyped folder, which no hub model could be called, is said to be none."""
    with pytest.raises(ModelUnavailableError, match=f"^'{name}' is no folder, and as"):
        inspect_model(name)


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("revision", [None, "main", SHA])
def test_a_cached_model_has_a_revision(revision: str | None) -> None:
    """Whatever it was asked for by, a hub model's revision is its commit."""
    found = inspect_model(NAME, revision=revision)

    assert (found.name, found.blocks) == (NAME, 3)
    assert found.revision == SHA


def test_a_cached_tokenizer_is_read(cached: Path, train_tokenizer: Train) -> None:
    """A hub model's tokenizer comes from the cache, too."""
    assert inspect_model(NAME).tokenizer is None
    train_tokenizer().save_pretrained(cached)

    assert inspect_model(NAME).ordinary == (2, 49)


@pytest.mark.usefixtures("cached")
def test_another_revision_is_not_cached() -> None:
    """One commit does not stand in for another."""
    with pytest.raises(ModelUnavailableError, match=f"^'{NAME}' is no folder, and"):
        inspect_model(NAME, revision="f" * 40)


def test_a_cached_model_with_code(cached: Path) -> None:
    """A hub model that needs code of its own is refused by name."""
    classes = {"AutoConfig": "configuration_trap.TrapConfig"}
    config = {"model_type": "trap", "auto_map": classes}
    (cached / "config.json").write_text(json.dumps(config))

    with pytest.raises(
        UserError,
        match=rf"^The configuration of '{NAME}' cannot be read: .*custom code",
    ):
        inspect_model(NAME)


def test_a_cached_model_of_an_unknown_type(cached: Path) -> None:
    """A hub model of a type that nobody knows is refused by name."""
    edit_config(cached, model_type="perceptron")

    with pytest.raises(
        UserError,
        match=rf"^The configuration of '{NAME}' cannot be read: .*`perceptron`",
    ):
        inspect_model(NAME)
