import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.methods.catalogue import built_in
from bench.results.attribution_record import AttributionRecord
from bench.results.store import to_json, write_atomically
from bench.results.trusted import Trusted
from bench.submissions.manifest import CODE, FOLDER
from bench.submissions.pack import pack_submission
from bench.tasks.digest import sha256_of_bytes
from tests.conftest import CIRCUITS, EARLY, PROVENANCE

# what was packed shall not differ with every change of the package
MADE = PROVENANCE.model_copy(update={"bench_sha256": "0" * 64}).model_dump()
METHOD = b"def my_method(ctx):\n    return [1.0] * ctx.n_sections\n"


@pytest.fixture(scope="session")
def shelf() -> dict[str, Path]:
    """What was packed once, for many tests to spoil copies of it."""
    return {}


@pytest.fixture(scope="session")
def trusted_once(repository_template: Path) -> Trusted:
    """What the synthetic repository trusts, while no test spoils it."""
    return Trusted(repository_template, built_in=frozenset(built_in()))


@pytest.fixture
def pack_with_code(
    trusted_once: Trusted,
    make_record: Callable[..., AttributionRecord],
    blend: Callable[..., np.ndarray],
    tmp_path: Path,
) -> Callable[..., Path]:
    """Pack a submission with its method's code, and many prompts of the first task."""

    def pack(name: str = "my-method", *, prompts: int = 900) -> Path:
        source = tmp_path / CODE
        source.write_bytes(METHOD)
        rng = np.random.default_rng(0)
        for task in CIRCUITS:
            values = blend(task)
            more = {}
            if task == EARLY and prompts:
                noise = rng.normal(0.0, 0.1, (prompts, len(values)))
                rows = values + noise
                values, more = rows.mean(axis=0), {"per_prompt": rows.tolist()}
            record = make_record(
                values,
                task=task,
                name=name,
                source_sha256=sha256_of_bytes(METHOD),
                provenance=MADE,
                **more,
            )
            path = tmp_path / "packed" / f"{task}.json"
            write_atomically(path, to_json(record))
        out = tmp_path / FOLDER
        pack_submission(
            tmp_path / "packed",
            suite="core",
            trusted=trusted_once,
            out=out,
            source=source,
        )
        return out / name

    return pack


def _copies(
    shelf: dict[str, Path],
    key: str,
    pack: Callable[[], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    if key not in shelf:
        kept = tmp_path_factory.mktemp("shelf") / key
        shelf[key] = shutil.copytree(pack(), kept)
    return shelf[key]


@pytest.fixture
def sound(
    shelf: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Path]:
    """A valid submission with code and a file of per-prompt values, free to spoil."""

    def pack() -> Path:
        return request.getfixturevalue("pack_with_code")()

    kept = _copies(shelf, "sound", pack, tmp_path_factory)
    place = tmp_path_factory.mktemp("place") / FOLDER / "my-method"
    yield shutil.copytree(kept, place)
    shutil.rmtree(place.parent.parent, ignore_errors=True)


@pytest.fixture
def small(
    shelf: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Path:
    """A valid submission that is small, with code; to be read, not changed."""

    def pack() -> Path:
        return request.getfixturevalue("pack_with_code")(prompts=0)

    return _copies(shelf, "small", pack, tmp_path_factory)
