"""Models that one device does not hold: on several devices, or fetched from a disk."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from bench.errors import MissingExtraError
from bench.evaluation.answers import run_method
from bench.methods.context import TaskContext
from bench.methods.discovery import find_method
from bench.models import loading, weights
from bench.models.architectures.registry import KNOWN
from bench.models.edits import Edit, replace_write
from bench.models.loading import check_device, on_several_devices, untrained_like
from bench.models.memory import SEVERAL, bytes_available
from bench.models.rerun import rerun
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.models.weights import load_folder
from bench.perturbation.differences import difference_at
from bench.perturbation.source_runs import SourceRuns
from tests.benchmarks.speed.models import TINY, random_bench
from tests.contracts.random_models import random_subject
from tests.contracts.test_source_runs import GROUP, make_probing, responses


@pytest.fixture(scope="module", params=sorted(KNOWN))
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SubjectModel, SubjectModel]:
    """A model in memory, and the same with two of its blocks on the disk."""
    whole = random_subject(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    whole.module.save_pretrained(folder)
    named = dict(whole.module.named_modules())
    blocks = [name for name, module in named.items() if module in whole.blocks]
    leaves = [name for name, module in named.items() if not list(module.children())]
    parts = {name: "cpu" for name in leaves if not name.startswith(tuple(blocks))}
    parts |= dict(zip(blocks, ("cpu", "disk", "disk"), strict=True))
    with pytest.MonkeyPatch.context() as patched:
        options = {"device_map": parts, "offload_folder": str(folder / "offload")}
        patched.setattr(weights, "placement", lambda _device: options)
        module = load_folder(folder, device=SEVERAL)
    module.eval()
    module.requires_grad_(False)
    return whole, replace(whole, module=module)


@pytest.fixture(scope="module")
def ids() -> Tensor:
    """Three rows of eleven tokens."""
    return torch.randint(0, 40, (3, 11), generator=torch.Generator().manual_seed(0))


def test_weights_on_the_disk_are_not_in_memory(
    pair: tuple[SubjectModel, SubjectModel],
) -> None:
    """Between runs they are nowhere; the model is where its embeddings are."""
    whole, parted = pair
    first, *others = (
        {weight.is_meta for weight in block.parameters()} for block in parted.blocks
    )

    assert first == {False}
    assert others == [{True}, {True}]
    assert parted.device == whole.device == torch.device("cpu")


def test_runs_are_those_of_the_whole_model(
    pair: tuple[SubjectModel, SubjectModel], ids: Tensor
) -> None:
    """Points, logits, edits, and what begins in the middle."""
    whole, parted = pair
    one, other = (run(model, ids, keep_past=True) for model in pair)
    write = torch.ones_like(one.writes[0])
    edits: dict[int, Edit] = {3: replace_write(write)}

    assert_close(other.points, one.points)
    assert_close(other.logits, one.logits)
    assert_close(
        rerun(parted, ids, edits, base=other), rerun(whole, ids, edits, base=one)
    )


@pytest.mark.parametrize("strength", [0.05, None])
def test_responses_are_those_of_the_whole_model(
    pair: tuple[SubjectModel, SubjectModel], strength: float | None
) -> None:
    """The reference engine, finite and exact, with and without an ablation."""
    found: list[list[Tensor]] = []
    for model in pair:
        probing = make_probing(pair[0], n_sources=5, first=1, seed=0)
        runs = SourceRuns(model, probing, GROUP)
        parts = [r.change for _, r in responses(runs, strength)]
        ablation = runs.ablate(
            3, torch.ones_like(probing.embeddings), last_start=runs.groups[-1].start
        )
        difference = difference_at(strength)
        for group in runs.groups:
            (response,) = runs.respond_under(
                [ablation], group, difference, sites_from=6
            )
            parts.append(response.change)
        found.append(parts)

    for mine, expected in zip(*found, strict=True):
        assert_close(mine, expected, rtol=1e-4, atol=1e-4)


def test_the_untrained_model_is_placed_too(
    pair: tuple[SubjectModel, SubjectModel], ids: Tensor
) -> None:
    """It has no files to be fetched from, and goes where there is room."""
    _, parted = pair
    made = untrained_like(parted, seed=0)

    assert on_several_devices(parted)
    assert not on_several_devices(made)
    expected = untrained_like(pair[0], seed=0)
    assert_close(run(made, ids).logits, run(expected, ids).logits)


def test_nothing_mixes_two_devices() -> None:
    """Runs, edits and responses, on devices that refuse each other's tensors."""
    program = ["-W", "ignore", "-m", "tests.contracts.two_devices", *sorted(KNOWN)]
    done = subprocess.run(
        [sys.executable, *program],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    checked = [x for x in done.stderr.splitlines() if x.startswith("checked ")]
    assert checked == [f"checked {name}" for name in sorted(KNOWN)]


def test_auto_is_every_device() -> None:
    """There is as much room as on all of them together."""
    assert bytes_available(SEVERAL) >= 0.9 * bytes_available("cpu")
    assert weights.placement("cpu") == {}
    assert weights.placement(SEVERAL) == {"device_map": "auto"}


def test_auto_needs_accelerate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, how to install it is said."""
    check_device(SEVERAL)
    monkeypatch.setattr(loading, "find_spec", lambda _name: None)

    with pytest.raises(MissingExtraError, match=r"'accelerate' is not.*\[large\]"):
        check_device(SEVERAL)


def test_a_model_loaded_by_auto(tmp_path: Path, ids: Tensor) -> None:
    """Where one device is enough there is nothing to see of it."""
    whole = random_subject("llama")
    whole.module.save_pretrained(tmp_path)
    module = load_folder(tmp_path, device=SEVERAL)
    found = SubjectModel(module, whole.architecture)

    assert not on_several_devices(found)
    assert_close(run(found, ids).logits, run(whole, ids).logits)


def test_methods_run_on_it(pair: tuple[SubjectModel, SubjectModel]) -> None:
    """A method that traces, edits and differentiates finds the same."""
    prompts = random_bench(replace(TINY, vocabulary=40), pair[0]).batch
    answers = [
        run_method(
            find_method(name),
            TaskContext(model, prompts, torch.Generator().manual_seed(0)),
        )[0].values
        for name in ("attribution-patching", "activation-patching-denoising")
        for model in pair
    ]

    for mine, other in (answers[:2], answers[2:]):
        np.testing.assert_allclose(other, mine, rtol=1e-3, atol=1e-4)
