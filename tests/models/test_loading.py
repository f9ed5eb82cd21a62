import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from bench.errors import (
    DigestError,
    FileFormatError,
    ModelUnavailableError,
    UserError,
)
from bench.models.loading import check_device, load_model, untrained_like
from bench.models.subject import SubjectModel
from bench.tasks.digest import sha256_of_file
from bench.tasks.planted import ARCHITECTURES
from bench.tasks.spec import read_task


def test_loads_what_was_saved(task_file: Path, tiny_model: SubjectModel) -> None:
    """The model of a task computes what the saved one did, frozen, in eval mode."""
    model = load_model(read_task(task_file), device="cpu")
    ids = torch.tensor([[0, 5, 9, 5]])

    assert_close(model.module(ids).logits, tiny_model.module(ids).logits)
    assert model.module.config._attn_implementation == "eager"
    assert not model.module.training
    assert not any(p.requires_grad for p in model.module.parameters())
    assert model.dtype == torch.float32


def test_altered_weights_are_refused_by_name(task_file: Path) -> None:
    """One changed byte of the weights is a digest error that names the file."""
    path = task_file.parent / "model" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    with pytest.raises(DigestError, match=r"model\.safetensors' was altered"):
        load_model(read_task(task_file), device="cpu")


def test_missing_weights_are_refused(task_file: Path) -> None:
    """A missing file of weights is a digest error that names the file."""
    (task_file.parent / "model" / "model.safetensors").unlink()

    with pytest.raises(DigestError, match=r"model\.safetensors' is missing"):
        load_model(read_task(task_file), device="cpu")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_hidden_layers": 3}, r"missing_keys: model\.layers\.2\."),
        ({"num_hidden_layers": 1}, r"unexpected_keys: model\.layers\.1\."),
        ({"intermediate_size": 48}, r"mismatched_keys: model\.layers\.0\.mlp"),
    ],
    ids=["too few layers", "too many layers", "another width"],
)
def test_weights_that_do_not_fit_are_refused(
    alter_task: Callable[..., Path], config: dict[str, int], message: str
) -> None:
    """A configuration that the weights fill only in part is refused by key."""
    task = read_task(alter_task(config=config))

    with pytest.raises(
        FileFormatError, match=rf"do not fit its configuration \({message}"
    ):
        load_model(task, device="cpu")


def test_task_with_other_blocks_is_refused(alter_task: Callable[..., Path]) -> None:
    """The task file's number of blocks must be the model's."""
    task = read_task(alter_task({"blocks = 2": "blocks = 3"}))

    with pytest.raises(
        FileFormatError,
        match=r"The model of 'induction/tiny' has 2 blocks; its task file says 3\.",
    ):
        load_model(task, device="cpu")


def test_unknown_architecture_is_refused(alter_task: Callable[..., Path]) -> None:
    """The task file's architecture must be a known one."""
    task = read_task(alter_task({'"llama"': '"perceptron"'}))

    with pytest.raises(UserError, match="Models of type 'perceptron' are not known"):
        load_model(task, device="cpu")


def test_other_model_type_is_refused(alter_task: Callable[..., Path]) -> None:
    """The task file's architecture must be the model's own."""
    config = {"model_type": "mistral", "architectures": ["MistralForCausalLM"]}
    task = read_task(alter_task(config=config))

    with pytest.raises(
        FileFormatError, match=r"is of type 'mistral'; its task file says 'llama'\."
    ):
        load_model(task, device="cpu")


@pytest.mark.parametrize(
    ("name", "content"),
    [("config.json", b"{"), ("model.safetensors", b"no tensors")],
)
def test_broken_files_are_refused(task_file: Path, name: str, content: bytes) -> None:
    """A broken file with a right digest is a format error that names the folder."""
    path = task_file.parent / "model" / name
    old = sha256_of_file(path)
    path.write_bytes(content)
    task_file.write_text(task_file.read_text().replace(old, sha256_of_file(path)))

    with pytest.raises(FileFormatError, match=r"model' cannot be loaded: "):
        load_model(read_task(task_file), device="cpu")


def test_pickled_weights_are_not_read(task_file: Path) -> None:
    """Weights in a pickle do not stand in for safetensors."""
    folder = task_file.parent / "model"
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    text = task_file.read_text().replace(f'"{weights.name}"', '"pytorch_model.bin"')
    digests = (sha256_of_file(weights), sha256_of_file(folder / "pytorch_model.bin"))
    task_file.write_text(text.replace(*digests))
    weights.unlink()

    with pytest.raises(FileFormatError, match=r"model' cannot be loaded: "):
        load_model(read_task(task_file), device="cpu")


def test_half_precision_weights_are_read_as_float32(task_file: Path) -> None:
    """Whatever the file's precision, the model computes in float32."""
    path = task_file.parent / "model" / "model.safetensors"
    old = sha256_of_file(path)
    half = {key: tensor.half() for key, tensor in load_file(path).items()}
    save_file(half, path, metadata={"format": "pt"})
    task_file.write_text(task_file.read_text().replace(old, sha256_of_file(path)))

    model = load_model(read_task(task_file), device="cpu")

    assert model.dtype == torch.float32


@pytest.mark.parametrize("device", ["nowhere", "cpu:x", "xla"])
def test_unknown_device_is_refused(task_file: Path, device: str) -> None:
    """A device that torch cannot use is a user error with a way out."""
    with pytest.raises(
        UserError,
        match=rf"'{re.escape(device)}' cannot be used: .*[^.]\. Try --device cpu",
    ):
        load_model(read_task(task_file), device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_absent_gpu_is_refused() -> None:
    """Asking for a GPU that is not there is a user error."""
    with pytest.raises(UserError, match="The device 'cuda' cannot be used: "):
        check_device("cuda")


def test_unreachable_hub_model_is_refused(alter_task: Callable[..., Path]) -> None:
    """A hub model that cannot be had is named with its size and every step to it."""
    revision = "0123456789abcdef0123456789abcdef01234567"
    source = (
        f'hub = "no-such-owner/no-such-model"\nrevision = "{revision}"\n'
        "gated = true\nparameters = 1_557_611_200"
    )
    path = alter_task({'path = "model"': source})
    path.write_text(re.sub(r"(?s)\[model.sha256\].*?\n\n", "\n", path.read_text()))
    task = read_task(path)

    with pytest.raises(ModelUnavailableError) as caught:
        load_model(task, device="cpu")

    first, second = str(caught.value).splitlines()
    assert first.startswith(
        "The hub model 'no-such-owner/no-such-model' (revision 0123456789ab, 1.56 "
        "billion weights, 12 GB of memory) is neither cached nor could it be fetched: "
    )
    assert second == (
        "To get it: accept its licence at "
        "https://huggingface.co/no-such-owner/no-such-model and log in (hf auth "
        f"login); then hf download no-such-owner/no-such-model --revision {revision}. "
        "Where there is no network, run this elsewhere and copy the cache (HF_HOME). "
        "It is slow on a CPU: use --device cuda where there is a GPU."
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_planted_models_are_generated(
    alter_task: Callable[..., Path], architecture: str
) -> None:
    """A planted model is built on the fly; nothing of it is stored."""
    words = {
        'path = "model"': "planted = { generator = 1, seed = 3 }",
        '"llama"': f'"{architecture}"',
    }
    task = read_task(alter_task(words))
    shutil.rmtree(task.folder / "model")

    one, again = (load_model(task, device="cpu") for _ in range(2))

    weights = again.module.state_dict()
    assert len(one.blocks) == 2
    assert not any(p.requires_grad for p in one.module.parameters())
    assert all(w.equal(weights[k]) for k, w in one.module.state_dict().items())


def test_untrained_model(tiny_model: SubjectModel) -> None:
    """An untrained model has the same shapes, its own weights, and follows its seed."""
    one, again, other = (untrained_like(tiny_model, seed=seed) for seed in (1, 1, 2))
    ours = dict(tiny_model.module.named_parameters())
    weights = [dict(model.module.named_parameters()) for model in (one, again, other)]

    for name, parameter in ours.items():
        assert weights[0][name].shape == parameter.shape
        assert weights[0][name].equal(weights[1][name])
        if "norm" not in name:
            assert not weights[0][name].equal(weights[2][name])
            assert not weights[0][name].allclose(parameter, atol=0.01)
    assert one.architecture is tiny_model.architecture
    assert not one.module.training
    assert not any(p.requires_grad for p in one.module.parameters())
    assert one.module.config._attn_implementation == "eager"


def test_untrained_model_leaves_the_global_generator_alone(
    tiny_model: SubjectModel,
) -> None:
    """Building a null does not move the draws of whoever asked for it."""
    before = torch.get_rng_state()
    untrained_like(tiny_model, seed=7)

    assert torch.get_rng_state().equal(before)


def test_unrecorded_weights_are_refused(task_file: Path) -> None:
    """A file that would be loaded without a recorded digest is refused by name."""
    extra = task_file.parent / "model" / "model-00002-of-00002.safetensors"
    extra.write_bytes(b"")

    with pytest.raises(DigestError, match=r"no recorded digest: model-00002-of-00002"):
        load_model(read_task(task_file), device="cpu")


def test_a_device_without_numbers_is_refused() -> None:
    """The meta device exists and holds nothing."""
    with pytest.raises(UserError, match="The device 'meta' cannot be used"):
        check_device("meta")
