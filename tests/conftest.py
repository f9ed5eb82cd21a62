"""Fixtures of tests that run a model, and a repository for tests that run none.

torch is imported inside them, so that the tests of the torch-free packages run where it
is not installed.
"""

import gc
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest

from bench.cache.cache import VARIABLE
from bench.errors import FileFormatError
from bench.methods.catalogue import built_in
from bench.profiles.attribution import Kind, LayerAttribution
from bench.profiles.promptwise import PROFILES, ProfileName, PromptwiseReference
from bench.results.attribution_record import AttributionRecord, MethodKey, task_key
from bench.results.provenance import Provenance, bench_digest
from bench.results.reference_record import (
    Band,
    GateRecord,
    Reference,
    ReferenceRecord,
    RegimeRecord,
    reference_path,
)
from bench.results.scoring import TaskScores, score_attribution
from bench.results.store import arrays_to_bytes, to_json, write_atomically
from bench.results.targets import find_targets
from bench.results.trusted import Trusted
from bench.scores import bootstrap
from bench.scores.halves import ceiling, reliability
from bench.submissions.manifest import (
    FOLDER,
    MANIFEST,
    file_name,
    read_manifest,
    sealed,
)
from bench.submissions.pack import pack_submission
from bench.tasks.digest import sha256_of_bytes, sha256_of_file
from bench.tasks.drawing import RepeatedRandom, draw_prompts
from bench.tasks.prompts import Prompt
from bench.tasks.registry import find_task
from bench.tasks.spec import Task

if TYPE_CHECKING:
    from bench.methods.context import TaskContext
    from bench.models.behaviour import PromptBatch
    from bench.models.subject import SubjectModel

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_collection_finish() -> None:
    """Let garbage be collected seldom.

    A test that makes many objects has the collector look through all modules and tests
    otherwise, again and again, which took most of its time. Frozen objects would hide
    from Hypothesis, which asks who refers to what.
    """
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(autouse=True)
def _own_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep what runs compute away from the user's cache, and tests from each other."""
    folder = tmp_path_factory.getbasetemp() / "caches" / uuid4().hex
    monkeypatch.setenv(VARIABLE, str(folder))


VOCABULARY = 40


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the stored reports be written anew, to be looked at in the diff."""
    parser.addoption(
        "--update-goldens",
        action="store_true",
        help="write the files of tests/golden as they are now",
    )


MODEL_TASK = """\
schema_version = 1
family = "induction"
name = "tiny"
version = 1
summary = "A task for tests."
licence = "CC0-1.0"
protocol = "relative-response-2"

[model]
path = "model"
architecture = "llama"
blocks = 2

[model.sha256]
"config.json" = "{config}"
"model.safetensors" = "{weights}"

[prompts]
file = "prompts.jsonl"
sha256 = "{prompts}"
"""


@pytest.fixture(scope="session")
def make_model() -> "Callable[..., SubjectModel]":
    """Build Llamas with random weights that are large enough to matter.

    Attention is far from uniform and writes are as large as the residual, so that no
    test compares zeros with zeros.
    """
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    from bench.models.architectures.llama import LLAMA
    from bench.models.subject import SubjectModel

    def make(*, seed: int = 0, blocks: int = 2, width: int = 16) -> SubjectModel:
        config = LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=blocks,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=64,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = AutoModelForCausalLM.from_config(
                config, attn_implementation="eager", dtype=torch.float32
            )
            for name, parameter in module.named_parameters():
                torch.nn.init.normal_(
                    parameter,
                    mean=1.0 if "norm" in name else 0.0,
                    std=0.2 if "norm" in name else width**-0.5,
                )
        module.eval()
        module.requires_grad_(False)
        return SubjectModel(module, LLAMA)

    return make


@pytest.fixture(scope="session")
def tiny_model(make_model: "Callable[..., SubjectModel]") -> "SubjectModel":
    """A Llama of two blocks; to be read, not changed."""
    return make_model()


@pytest.fixture(scope="session")
def tiny_prompts() -> tuple[Prompt, ...]:
    """Three prompts of period 8 for discovery and seventeen for reference."""
    return draw_prompts(
        RepeatedRandom(
            kind="repeated-random",
            seed=5,
            period=8,
            bos=0,
            first_token=1,
            last_token=VOCABULARY - 1,
            discovery=3,
            reference=17,
        )
    )


@pytest.fixture(scope="session")
def few_prompts(tiny_prompts: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
    """Three prompts."""
    return tiny_prompts[:3]


@pytest.fixture(scope="session")
def tiny_batch(few_prompts: tuple[Prompt, ...]) -> "PromptBatch":
    """The three prompts as tensors."""
    from bench.models.behaviour import to_batch

    return to_batch(few_prompts, device="cpu")


@pytest.fixture(scope="session")
def make_context(
    tiny_batch: "PromptBatch",
) -> "Callable[[SubjectModel], TaskContext]":
    """Give a method three prompts and a model."""
    import torch

    from bench.methods.context import TaskContext

    def make(model: "SubjectModel") -> TaskContext:
        generator = torch.Generator().manual_seed(0)
        return TaskContext(subject=model, prompts=tiny_batch, generator=generator)

    return make


@pytest.fixture
def tiny_context(
    make_context: "Callable[[SubjectModel], TaskContext]", tiny_model: "SubjectModel"
) -> "TaskContext":
    """What a method is given, on the small model."""
    return make_context(tiny_model)


@pytest.fixture
def task_file(
    tmp_path: Path, tiny_model: "SubjectModel", tiny_prompts: tuple[Prompt, ...]
) -> Path:
    """A task file with its model and prompts, sound until a test spoils it."""
    tiny_model.module.save_pretrained(tmp_path / "model")
    lines = [prompt.model_dump_json() for prompt in tiny_prompts]
    (tmp_path / "prompts.jsonl").write_text("\n".join(lines) + "\n")
    path = tmp_path / "task.toml"
    path.write_text(
        MODEL_TASK.format(
            config=sha256_of_file(tmp_path / "model" / "config.json"),
            weights=sha256_of_file(tmp_path / "model" / "model.safetensors"),
            prompts=sha256_of_file(tmp_path / "prompts.jsonl"),
        )
    )
    return path


@pytest.fixture
def alter_task(task_file: Path) -> Callable[..., Path]:
    """Change words of the task file or keys of the model's config, digests in step."""

    def alter(
        words: dict[str, str] | None = None, *, config: dict[str, object] | None = None
    ) -> Path:
        text = task_file.read_text()
        for old, new in (words or {}).items():
            assert old in text
            text = text.replace(old, new)
        if config is not None:
            path = task_file.parent / "model" / "config.json"
            old = sha256_of_file(path)
            path.write_text(json.dumps(json.loads(path.read_text()) | config))
            text = text.replace(old, sha256_of_file(path))
        task_file.write_text(text)
        return task_file

    return alter


EARLY, LATE = "induction/early", "induction/late"

CIRCUITS = {EARLY: (6, 1, 3), LATE: (8, 4, 6)}
"""Task to its blocks, the block of its previous-token head and of its induction head.

Both circuits lie at different relative depths, so neither gives the other away.
"""

SUITES = """\
[core]
version = "1.0"
summary = "Two synthetic tasks."
tasks = ["induction/early", "induction/late"]

[half]
version = "2.1"
summary = "One of them."
tasks = ["induction/early"]
"""

TASK = """\
schema_version = 1
family = "induction"
name = "{name}"
version = 1
summary = "A synthetic task."
licence = "CC0-1.0"
protocol = "relative-response-2"

[model]
embedded = "{name}"
architecture = "llama"
blocks = {blocks}
sha256 = {{ "config.json" = "{config}" }}

[prompts]
file = "prompts.jsonl"
sha256 = "{prompts}"

[prompts.recipe]
kind = "repeated-random"
seed = 1
period = 8
bos = 0
first_token = 1
last_token = 64
discovery = 2
reference = 18
"""

RECIPE = RepeatedRandom(
    kind="repeated-random",
    seed=1,
    period=8,
    bos=0,
    first_token=1,
    last_token=64,
    discovery=2,
    reference=18,
)

PROVENANCE = Provenance(
    bench_sha256=bench_digest(),
    bench="0.1.0",
    git_commit=None,
    git_dirty=None,
    python="3.12.0",
    platform="Linux x86_64",
    packages={"numpy": "2.0.0"},
    device="cpu",
    dtype="float32",
    threads=1,
    seed=0,
    finished="2026-01-02T03:04:05+00:00",
)


def write_task(root: Path, task_id: str, *, blocks: int) -> Task:
    """Write a task with a model of one dummy file."""
    name = task_id.partition("/")[2]
    config = root / "tasks" / "models" / name / "config.json"
    write_atomically(config, f'{{"name": "{name}"}}'.encode())
    folder = root / "tasks" / task_id
    lines = (prompt.model_dump_json() + "\n" for prompt in draw_prompts(RECIPE))
    write_atomically(folder / "prompts.jsonl", "".join(lines).encode())
    text = TASK.format(
        name=name,
        blocks=blocks,
        config=sha256_of_file(config),
        prompts=sha256_of_file(folder / "prompts.jsonl"),
    )
    write_atomically(folder / "task.toml", text.encode())
    return find_task(task_id, root=root)


def synthetic_arrays(task_id: str) -> dict[str, np.ndarray]:
    """Make the arrays of a reference whose profiles are known but for some noise.

    Emergence lies on the induction head (0.8) and the attention after it (0.2),
    composition on the previous-token head and the induction head.
    """
    blocks, previous, induction = CIRCUITS[task_id]
    rng = np.random.default_rng(blocks)
    gain = rng.normal(0.0, 0.01, (RECIPE.reference, 2 * blocks))
    gain[:, 2 * induction] += 0.8
    gain[:, 2 * induction + 2] += 0.2
    signature = np.cumsum(np.pad(gain, ((0, 0), (1, 0))), axis=1)
    kept = 1.0 + rng.normal(0.0, 0.01, gain.shape)
    kept[:, [2 * previous, 2 * induction]] -= 1.0
    ablated = signature[:, -1:] * kept
    return {
        "gain": gain,
        "signature": signature,
        "ablated_mean": ablated,
        "ablated_resample": ablated,
    }


def band(values: np.ndarray) -> Band:
    """Reduce per-prompt values to a mean with rough bounds."""
    mean, spread = values.mean(axis=0), values.std(axis=0)
    return Band(
        mean=tuple(mean.tolist()),
        lower=tuple((mean - spread).tolist()),
        upper=tuple((mean + spread).tolist()),
    )


def synthetic_record(task: Task, arrays: dict[str, np.ndarray]) -> ReferenceRecord:
    """Make the record of a reference from its arrays."""
    promptwise = PromptwiseReference.from_arrays(arrays)
    sections = (0.0,) * task.n_sections
    points = (*sections, 0.0)
    regime = RegimeRecord(
        strengths=(1e-4, 1e-3, 1e-2),
        responses=((*sections, 1.0),) * 3,
        exact=(*sections, 1.0),
        deviations=(0.0, 0.0, 0.0),
        lowest=1e-4,
        highest=1e-2,
        change=0.0,
        strength=1e-3,
    )
    composition = promptwise.profile("composition")
    flat = tuple(np.linspace(1.0, 1.2, task.n_sections).tolist())
    return ReferenceRecord(
        task=task_key(task),
        protocol="relative-response-2",
        from_exact=False,
        prompts=promptwise.n_prompts,
        regime=regime,
        signature=band(arrays["signature"]),
        gain=band(arrays["gain"]),
        increment=sections,
        dilution=sections,
        additive_share=sections,
        composition_mean=tuple(composition.tolist()),
        composition_resample=tuple(composition.tolist()),
        logit_drop=sections,
        previous_path=points,
        match_path=points,
        copy_response=points,
        control_response=points,
        far_control_response=points,
        control_prompt_response=points,
        first_loss=4.0,
        second_loss=0.5,
        reliability={n: reliability(promptwise, n).value or 0.0 for n in PROFILES},
        ceiling={n: ceiling(promptwise, n).value or 0.0 for n in PROFILES},
        norm_growth=flat,
        untrained=dict.fromkeys(PROFILES, flat),
        gates=(
            GateRecord(
                name="signature",
                measured=1.0,
                threshold=0.0,
                at_least=True,
                meaning="lower bound of the final signature",
                interval=(0.5, 1.5),
            ),
        ),
        arrays_sha256=sha256_of_bytes(arrays_to_bytes(arrays)),
        wall_s=1.0,
        provenance=PROVENANCE,
    )


def write_reference(root: Path, task: Task, arrays: dict[str, np.ndarray]) -> None:
    """Store a reference that no model was run for."""
    path = reference_path(task, root=root)
    write_atomically(path.with_suffix(".safetensors"), arrays_to_bytes(arrays))
    write_atomically(path, to_json(synthetic_record(task, arrays)))


@pytest.fixture(scope="session")
def repository_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two synthetic tasks with references that no model was run for."""
    root = tmp_path_factory.mktemp("template")
    write_atomically(root / "tasks" / "suites.toml", SUITES.encode())
    for task_id, (blocks, *_) in CIRCUITS.items():
        task = write_task(root, task_id, blocks=blocks)
        write_reference(root, task, synthetic_arrays(task_id))
    return root


@pytest.fixture
def repository(repository_template: Path, tmp_path: Path) -> Path:
    """A synthetic repository, free to be spoilt."""
    return shutil.copytree(repository_template, tmp_path / "repository")


@pytest.fixture
def trusted(repository: Path) -> Trusted:
    """What the synthetic repository trusts."""
    return Trusted(repository, built_in=frozenset(built_in()))


def score_against(
    attribution: LayerAttribution,
    reference: Reference,
    *,
    others: Sequence[Reference] = (),
    own_untrained: np.ndarray | None = None,
) -> TaskScores:
    """Score one attribution on a reference."""
    targets = find_targets(reference, others=others)
    return score_attribution(attribution, targets, own_untrained=own_untrained)


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw few bootstrap samples, where a test does not look at intervals."""
    monkeypatch.setattr(bootstrap, "N_RESAMPLES", 2)


@pytest.fixture
def provenance() -> Provenance:
    """Circumstances of a run that never took place."""
    return PROVENANCE


@pytest.fixture
def make_record(repository: Path) -> Callable[..., AttributionRecord]:
    """Make a stored attribution on a task, valid unless ``changes`` spoil it."""

    def make(
        values: Sequence[float] | np.ndarray,
        *,
        task: str = EARLY,
        name: str = "my-method",
        kind: Kind = "write",
        origin: str = "file",
        source_sha256: str = "0" * 64,
        **changes: object,
    ) -> AttributionRecord:
        fields = {
            "schema_version": 1,
            "task": task_key(find_task(task, root=repository)).model_dump(),
            "method": {
                "name": name,
                "kind": kind,
                "origin": origin,
                "source": "my_method.py",
                "source_sha256": source_sha256,
                "summary": "Say something.",
            },
            "values": [float(value) for value in values],
            "per_prompt": None,
            "untrained": None,
            "untrained_reason": "not tried",
            "cost_forward_equivalents": 3.0,
            "cost_reason": None,
            "wall_s": 0.5,
            "provenance": PROVENANCE.model_dump(),
        }
        return AttributionRecord.parse(json.dumps(fields | changes), file="made")

    return make


@pytest.fixture
def method_key(make_record: Callable[..., AttributionRecord]) -> MethodKey:
    """The key of the method that made records have by default."""
    return make_record([1.0]).method


@pytest.fixture
def blend(trusted: Trusted) -> Callable[..., np.ndarray]:
    """Mix both profiles of a task with a constant: a method of known quality."""

    def mix(
        task: str,
        *,
        emergence: float = 1.0,
        composition: float = 1.0,
        flat: float = 0.0,
    ) -> np.ndarray:
        weights: dict[ProfileName, float] = {
            "emergence": emergence,
            "composition": composition,
        }
        promptwise = trusted.references[task].promptwise
        parts = []
        for name, weight in weights.items():
            positive = np.clip(promptwise.profile(name), 0.0, None)
            parts.append(weight * positive / positive.sum())
        return np.sum(parts, axis=0) + flat / promptwise.n_sections

    return mix


@pytest.fixture
def write_results(
    tmp_path: Path,
    make_record: Callable[..., AttributionRecord],
    blend: Callable[..., np.ndarray],
) -> Callable[..., Path]:
    """Write a results folder, one attribution for each task, and return it.

    ``values`` maps tasks to attributions; without it both profiles are blended.
    """

    def write(
        name: str = "my-method",
        *,
        values: dict[str, Sequence[float]] | None = None,
        flat: float = 0.0,
        **changes: object,
    ) -> Path:
        folder = tmp_path / "results" / name
        for task in CIRCUITS:
            answer = blend(task, flat=flat) if values is None else values[task]
            record = make_record(answer, task=task, name=name, **changes)
            write_atomically(folder / f"{task}.json", to_json(record))
        return folder

    return write


@pytest.fixture
def submit(
    repository: Path, trusted: Trusted, write_results: Callable[..., Path]
) -> Callable[..., Path]:
    """Put a valid submission into the repository and return its folder."""

    def pack(
        name: str = "my-method", *, suite: str = "core", **options: object
    ) -> Path:
        results = write_results(name, **options)
        out = repository / FOLDER
        pack_submission(results, suite=suite, trusted=trusted, out=out)
        return out / name

    return pack


@pytest.fixture
def edit_json() -> Callable[[Path, Callable[[dict], object]], None]:
    """Change a JSON file in place; a manifest gets the digest that it has then."""

    def edit(path: Path, change: Callable[[dict], object]) -> None:
        document = json.loads(path.read_bytes())
        change(document)
        path.write_text(json.dumps(document))
        if path.name == MANIFEST:
            with suppress(FileFormatError):
                path.write_bytes(to_json(sealed(read_manifest(path.parent))))

    return edit


@pytest.fixture
def rehash(edit_json: Callable[..., None]) -> Callable[[Path], None]:
    """Record the present sizes and digests of a submission's files in its manifest."""

    def change(folder: Path, manifest: dict) -> None:
        for entry in manifest["files"]:
            path = folder / entry["path"]
            entry |= {"bytes": path.stat().st_size, "sha256": sha256_of_file(path)}

    def again(folder: Path) -> None:
        edit_json(folder / MANIFEST, lambda manifest: change(folder, manifest))

    return again


@pytest.fixture
def spoil(
    submit: Callable[..., Path],
    edit_json: Callable[..., None],
    rehash: Callable[[Path], None],
) -> Callable[..., Path]:
    """Make a submission and change its first attribution behind a correct digest."""

    def make(change: Callable[[dict], object]) -> Path:
        folder = submit()
        edit_json(folder / file_name(EARLY), change)
        rehash(folder)
        return folder

    return make
