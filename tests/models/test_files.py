"""A model is loaded from its own safetensors, whatever its files say."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import GPT2Config, GPT2LMHeadModel

from bench.errors import FileFormatError
from bench.models.files import check_files
from bench.models.inspection import inspect_model
from bench.models.weights import load_folder

INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path: Path, configure: Callable[..., GPT2Config]) -> Path:
    """A small model with weights."""
    GPT2LMHeadModel(configure()).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def write_index(folder: Path, file: str) -> None:
    """Say that all weights lie in one file."""
    weights = load_file(folder / "model.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, file)}
    (folder / INDEX).write_text(json.dumps(index))


def refuse(folder: Path, *problems: str) -> None:
    """Check that inspecting and loading both refuse a folder with these problems."""
    expected = (
        f"The model '{folder}' is not loaded from its own safetensors alone: "
        f"{'; '.join(problems)}. Load it where you trust it and write it with "
        "save_pretrained."
    )
    for act in (load_folder, lambda path: inspect_model(str(path))):
        with pytest.raises(FileFormatError, match=f"^{re.escape(expected)}$"):
            act(folder)


def test_a_model_in_shards_is_loaded(folder: Path) -> None:
    """An index of safetensors files beside it is what large models have."""
    before = load_folder(folder).state_dict()
    shard = "model-00001-of-00001.safetensors"
    write_index(folder, shard)
    (folder / "model.safetensors").rename(folder / shard)

    after = load_folder(folder).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_an_index_of_pickles_is_refused(folder: Path) -> None:
    """An index that names a pickle would have it read in place of safetensors."""
    write_index(folder, "pytorch_model.bin")
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()

    refuse(
        folder,
        f"{INDEX} names 'pytorch_model.bin', which is no safetensors file beside it",
    )


@pytest.mark.parametrize(
    "file",
    ["sub/a.safetensors", "../model/model.safetensors", "/a.safetensors", "a\\b"],
)
def test_an_index_of_files_elsewhere_is_refused(file: str, folder: Path) -> None:
    """Only files beside the index have their digests taken."""
    write_index(folder, file)

    refuse(folder, f"{INDEX} names '{file}', which is no safetensors file beside it")


@pytest.mark.parametrize("content", ["[]", "{}", '{"weight_map": {}}', "{", '"x"'])
def test_an_index_without_weights_is_refused(content: str, folder: Path) -> None:
    """An index that says nothing is none."""
    (folder / INDEX).write_text(content)

    refuse(folder, f"{INDEX} has no weight_map")


def test_all_problems_are_reported_at_once(folder: Path) -> None:
    """Every key that sends the loader elsewhere is named, and an adapter is."""
    path = folder / "config.json"
    keys = {
        "transformers_weights": "sub/b.safetensors",
        "configuration_files": ["config.4.0.0.json"],
        "quantization_config": {"quant_method": "gptq"},
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))
    (folder / "adapter_config.json").write_text("{}")

    with pytest.raises(FileFormatError) as caught:
        check_files(folder, name="mine")
    for part in (
        "'transformers_weights' in config.json names other weights; ",
        "'configuration_files' in config.json names other configurations; ",
        "'quantization_config' in config.json asks for quantised weights; models are ",
        "adapter_config.json adds other weights. ",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b"[" * 100_000])
def test_files_that_are_no_json_are_left_to_the_loader(
    content: bytes, folder: Path
) -> None:
    """What cannot be read is the loader's to refuse, in one message."""
    (folder / "config.json").write_bytes(content)
    check_files(folder, name="mine")

    with pytest.raises(FileFormatError, match=rf"'{folder}' cannot be loaded: "):
        load_folder(folder)
