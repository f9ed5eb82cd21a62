import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from bench.errors import BenchError, FileFormatError, ModelUnavailableError
from bench.models import memory
from bench.models.weights import load_folder, load_hub
from bench.tasks.spec import ModelSource

NAME = "some-owner/tiny"
SHA = "0123456789abcdef0123456789abcdef01234567"
SOURCE = ModelSource(hub=NAME, revision=SHA, architecture="gpt2", blocks=3)

CONFIG, WEIGHTS = "config.json", "model.safetensors"
SIZES: dict[str, Any] = {
    "vocab_size": 20,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 16,
}


@pytest.fixture
def gpt2(configure: Callable[..., GPT2Config], folder: Path) -> GPT2LMHeadModel:
    """A small GPT-2, saved to the folder."""
    module = GPT2LMHeadModel(configure())
    module.save_pretrained(folder)
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where models are saved."""
    return tmp_path / "model"


def rewrite(
    folder: Path,
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
) -> None:
    """Change the weights in a folder."""
    changed = change(load_file(folder / WEIGHTS))
    save_file(changed, folder / WEIGHTS, metadata={"format": "pt"})


def same(one: PreTrainedModel, other: PreTrainedModel) -> bool:
    """Whether two models have the same weights."""
    weights = other.state_dict()
    found = one.state_dict()
    return found.keys() == weights.keys() and all(
        weight.equal(weights[name]) for name, weight in found.items()
    )


def cut(path: Path, share: float) -> None:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])


def test_what_was_saved_is_loaded(gpt2: GPT2LMHeadModel, folder: Path) -> None:
    """Weights are those of the file, in float32, with eager attention."""
    loaded = load_folder(folder)

    assert same(loaded, gpt2)
    assert loaded.dtype == torch.float32
    assert loaded.config._attn_implementation == "eager"


@pytest.mark.parametrize("share", [0.9, 0.1], ids=["in the data", "in the header"])
@pytest.mark.usefixtures("gpt2")
def test_a_truncated_file_is_refused(share: float, folder: Path) -> None:
    """Weights that end too early are refused, not filled up."""
    cut(folder / WEIGHTS, share)

    expected = rf"^The model in '{folder}' cannot be loaded: Error while deserializing"
    with pytest.raises(FileFormatError, match=expected):
        load_folder(folder)


@pytest.mark.usefixtures("gpt2")
def test_a_broken_configuration_is_refused(folder: Path) -> None:
    """A configuration with a word for a number is refused with its folder."""
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | {"n_layer": "two"}))

    with pytest.raises(FileFormatError, match=rf"'{folder}' cannot be loaded: "):
        load_folder(folder)


def test_gpt2_as_the_hub_has_it(gpt2: GPT2LMHeadModel, folder: Path) -> None:
    """Old weights of GPT-2 load: no prefix, causal masks stored, no unembedding."""
    mask = torch.tril(torch.ones(1, 1, 16, 16))

    def change(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        assert all(name.startswith("transformer.") for name in weights)
        bare = {name.removeprefix("transformer."): w for name, w in weights.items()}
        return bare | {f"h.{block}.attn.bias": mask.clone() for block in range(3)}

    rewrite(folder, change)
    assert same(load_folder(folder), gpt2)


def test_gpt_neox_as_the_hub_has_it(folder: Path) -> None:
    """Old weights of GPT-NeoX load: masks and rotary frequencies are passed over."""
    module = GPTNeoXForCausalLM(GPTNeoXConfig(**SIZES))
    module.save_pretrained(folder)
    mask = torch.tril(torch.ones(1, 1, 16, 16, dtype=torch.bool))
    stored = {
        "bias": mask,
        "masked_bias": torch.tensor(-1e9),
        "rotary_emb.inv_freq": torch.ones(2),
    }
    extra = {
        f"gpt_neox.layers.{block}.attention.{name}": tensor.clone()
        for block in range(2)
        for name, tensor in stored.items()
    }
    rewrite(folder, lambda weights: weights | extra)

    assert same(load_folder(folder), module)


def test_other_extra_weights_are_refused(gpt2: GPT2LMHeadModel, folder: Path) -> None:
    """A weight that the model has no place for is refused by name."""
    extra = {"transformer.h.0.attn.gate": torch.ones(2)}
    rewrite(folder, lambda weights: weights | extra)

    expected = (
        f"The weights of '{folder}' do not fit its configuration (unexpected_keys: "
        "transformer.h.0.attn.gate)."
    )
    with pytest.raises(FileFormatError, match=f"^{re.escape(expected)}$"):
        load_folder(folder)


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Leave no memory free; the list fills with devices that were asked for it."""
    asked: list[str] = []

    def bytes_available(device: str) -> int:
        asked.append(device)
        return 0

    monkeypatch.setattr(memory, "bytes_available", bytes_available)
    return asked


@pytest.mark.usefixtures("gpt2")
def test_memory_is_checked_before_weights_are_read(
    folder: Path, no_memory: list[str]
) -> None:
    """A model too large for its device is refused with its weights unread."""
    (folder / WEIGHTS).write_bytes(b"no tensors")

    with pytest.raises(ModelUnavailableError, match=f"^The model '{folder}' needs"):
        load_folder(folder, device="cuda:3")
    assert no_memory == ["cuda:3"]


@pytest.mark.usefixtures("no_memory")
def test_memory_of_other_types_is_not_estimated(folder: Path) -> None:
    """A model whose sizes go by names that we do not know is loaded as it is."""
    module = MistralForCausalLM(MistralConfig(**SIZES, num_key_value_heads=1))
    module.save_pretrained(folder)

    assert same(load_folder(folder), module)


@pytest.fixture
def cached(
    hub_cache: Callable[[str, str], Path], configure: Callable[..., GPT2Config]
) -> Path:
    """The folder of a hub model's one commit."""
    commit = hub_cache(NAME, SHA)
    GPT2LMHeadModel(configure()).save_pretrained(commit)
    return commit


def test_a_cached_model_is_loaded(cached: Path) -> None:
    """A hub model comes from the cache."""
    assert same(load_hub(SOURCE, device="cpu"), load_folder(cached))


@pytest.mark.usefixtures("cached")
def test_another_revision_is_not_loaded() -> None:
    """A commit that is not cached is refused, whatever else of the model is."""
    other = SOURCE.model_copy(update={"revision": "f" * 40})

    expected = r"^The hub model 'some-owner/tiny' \(revision ffffffffffff\) is neither"
    with pytest.raises(ModelUnavailableError, match=expected):
        load_hub(other, device="cpu")


def test_a_folder_of_the_same_name_is_not_taken(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub model comes from the hub, whatever lies in the working folder."""
    near = tmp_path / "near"
    config = GPT2Config.from_pretrained(cached, n_layer=2)
    GPT2LMHeadModel(config).save_pretrained(near / NAME)
    monkeypatch.chdir(near)

    assert same(load_hub(SOURCE, device="cpu"), load_folder(cached))
    other = SOURCE.model_copy(update={"revision": "f" * 40})
    with pytest.raises(ModelUnavailableError, match="is neither cached nor could it"):
        load_hub(other, device="cpu")


def test_pickles_of_the_hub_are_not_read(cached: Path) -> None:
    """A hub model whose index names a pickle is refused like any other."""
    weights = load_file(cached / WEIGHTS)
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, "pytorch_model.bin")}
    (cached / f"{WEIGHTS}.index.json").write_text(json.dumps(index))

    with pytest.raises(
        FileFormatError, match=f"^The model '{NAME}' is not loaded from"
    ):
        load_hub(SOURCE, device="cpu")


def test_a_truncated_download_is_refused(cached: Path) -> None:
    """Weights of the cache that end too early are refused with the model's name."""
    cut(cached / WEIGHTS, 0.9)

    with pytest.raises(BenchError, match=NAME):
        load_hub(SOURCE, device="cpu")


def test_cached_weights_that_do_not_fit_are_refused(cached: Path) -> None:
    """A hub model is held to its configuration like any other."""
    config = json.loads((cached / CONFIG).read_text())
    (cached / CONFIG).write_text(json.dumps(config | {"n_layer": 4}))

    with pytest.raises(FileFormatError, match=rf"of '{NAME}' do not fit its .*h\.3\."):
        load_hub(SOURCE, device="cpu")


@pytest.mark.usefixtures("cached", "no_memory")
def test_memory_is_checked_for_hub_models() -> None:
    """A hub model too large for its device is refused by name."""
    with pytest.raises(ModelUnavailableError, match=f"^The model '{NAME}' needs about"):
        load_hub(SOURCE, device="cpu")


@pytest.mark.usefixtures("gpt2")
@pytest.mark.parametrize("shown", [True, False])
def test_loading_draws_nothing(
    shown: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No progress bar is drawn, and whether others are is as before."""
    enable = transformers_logging.enable_progress_bar
    (enable if shown else transformers_logging.disable_progress_bar)()
    capsys.readouterr()
    try:
        load_folder(folder)
        assert transformers_logging.is_progress_bar_enabled() is shown
        assert capsys.readouterr() == ("", "")
    finally:
        enable()
