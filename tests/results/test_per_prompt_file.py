import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load, save

from bench.errors import FileFormatError
from bench.results import attribution_record as record_module
from bench.results.attribution_record import (
    ARRAYS,
    AttributionRecord,
    attribution_files,
    read_attribution,
    with_arrays,
    write_attribution,
)
from bench.results.per_prompt_file import (
    LARGEST_HEADER,
    parse_per_prompt,
    write_per_prompt,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))

VALUES = np.arange(6.0).reshape(2, 3)


@given(arrays(np.float64, SHAPES, elements=FINITE))
def test_what_is_written_is_read(values: np.ndarray) -> None:
    """Bit by bit, and as safetensors itself reads it."""
    data = write_per_prompt(values)

    assert parse_per_prompt(data, file="x").tobytes() == values.tobytes()
    np.testing.assert_array_equal(load(data)["per_prompt"], values)


def header(data: bytes) -> bytes:
    """Return the header of a safetensors file."""
    return data[8 : 8 + int.from_bytes(data[:8], "little")]


def with_header(text: bytes, body: bytes = VALUES.tobytes()) -> bytes:
    """Put another header before values."""
    return len(text).to_bytes(8, "little") + text + body


GOOD = header(write_per_prompt(VALUES))
NOT_SAFE = "is not a safetensors file with a header of at most 1000 bytes"
NOT_ONE = "does not hold one tensor 'per_prompt' of type F64"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", NOT_SAFE),
        (b"\x05", NOT_SAFE),
        ((2**63).to_bytes(8, "little") + GOOD, NOT_SAFE),
        (with_header(GOOD.ljust(LARGEST_HEADER + 1)), NOT_SAFE),
        (with_header(b"{}"), NOT_ONE),
        (with_header(b"[]"), NOT_ONE),
        (with_header(b'{"a": NaN}'), "it holds NaN"),
        (with_header(GOOD.replace(b"per_prompt", b"per_promp!")), NOT_ONE),
        (with_header(GOOD.replace(b"F64", b"I64")), NOT_ONE),
        (with_header(GOOD.replace(b"[2,3]", b"[2,1,3]")), NOT_ONE),
        (with_header(GOOD.replace(b"[2,3]", b"[-2,3]")), NOT_ONE),
        (with_header(GOOD.replace(b"[2,3]", b"[0,3]")), NOT_ONE),
        (with_header(GOOD.replace(b"[2,3]", b"[2,4]")), "expected 64 for the shape"),
        (with_header(GOOD.replace(b"[0,48]", b"[8,48]")), r"values at \(8, 48\)"),
        (with_header(GOOD, VALUES.tobytes() + b"\0"), "holds 49 bytes of values"),
        (with_header(GOOD, VALUES.tobytes()[:-1]), "holds 47 bytes of values"),
        (write_per_prompt(np.array([[1.0, np.nan]])), "values that are not finite"),
        (write_per_prompt(np.array([[np.inf, 1.0]])), "values that are not finite"),
        (save({"per_prompt": VALUES, "more": VALUES}), NOT_ONE),
        (save({"per_prompt": VALUES}, metadata={"a": "b"}), NOT_ONE),
        (save({"per_prompt": VALUES.astype(np.float32)}), NOT_ONE),
    ],
)
def test_anything_else_is_refused(data: bytes, said: str) -> None:
    """Header, tensors, type, shape, places and length are exactly ours."""
    with pytest.raises(FileFormatError, match=rf"^'x' .*{said}"):
        parse_per_prompt(data, file="x")


Make = Callable[..., AttributionRecord]


@pytest.fixture
def large(make_record: Make, monkeypatch: pytest.MonkeyPatch) -> AttributionRecord:
    """A record with more values of prompts than stand in the JSON file."""
    rows = np.random.default_rng(0).normal(size=(4, 12))
    monkeypatch.setattr(record_module, "INLINE", rows.size - 1)
    return make_record(rows.mean(axis=0), per_prompt=rows.tolist())


def test_many_values_lie_beside_the_record(
    large: AttributionRecord, tmp_path: Path
) -> None:
    """The JSON file says how large and which; reading puts them together again."""
    path = tmp_path / "x.json"
    write_attribution(path, large)
    stored = json.loads(path.read_bytes())

    assert stored["per_prompt"] is None
    size = path.with_suffix(ARRAYS).stat().st_size
    assert stored["per_prompt_file"]["bytes"] == size
    found = read_attribution(path)
    assert found.per_prompt == large.per_prompt
    assert found.per_prompt_file is None


def test_few_values_stand_in_the_record(
    large: AttributionRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that lay beside an older result goes."""
    path = tmp_path / "x.json"
    write_attribution(path, large)
    monkeypatch.setattr(record_module, "INLINE", 48)
    write_attribution(path, large)

    assert not path.with_suffix(ARRAYS).exists()
    assert read_attribution(path).per_prompt is not None


def test_missing_and_altered_values(large: AttributionRecord, tmp_path: Path) -> None:
    """Neither is read as a record without them."""
    path = tmp_path / "x.json"
    write_attribution(path, large)
    beside = path.with_suffix(ARRAYS)
    data = beside.read_bytes()
    beside.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    said = "differs from what its record says: .* run the same bench evaluate again"
    with pytest.raises(FileFormatError, match=said):
        read_attribution(path)

    beside.unlink()
    with pytest.raises(FileFormatError, match=re.escape(f"'{beside}' cannot be read")):
        read_attribution(path)


def test_values_of_another_model(large: AttributionRecord, make_record: Make) -> None:
    """A number for each section, in the file as well."""
    data, arrays = attribution_files(large)
    assert arrays is not None
    record = AttributionRecord.parse(data, file="x").model_copy(
        update={"values": (1.0,) * 11}
    )

    with pytest.raises(FileFormatError, match="has 12 sections; values has 11"):
        with_arrays(record, arrays, file="x")


def test_values_in_one_place(large: AttributionRecord) -> None:
    """Two answers to one question are none."""
    document = json.loads(attribution_files(large)[0])
    rows = [list(row) for row in large.per_prompt or ()]

    with pytest.raises(FileFormatError, match="here or in a file of its own, not both"):
        AttributionRecord.parse(json.dumps(document | {"per_prompt": rows}), file="x")
