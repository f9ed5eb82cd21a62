"""Cases of attributions, and of the files of their per-prompt values."""

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from bench.submissions.manifest import MANIFEST
from tests.submissions.corpus.cases import (
    ARRAYS,
    FIRST,
    SECOND,
    Change,
    Spoil,
    case,
    edit_manifest,
    edit_record,
    put_arrays,
    rehash,
)


def recorded(change: Change) -> Spoil:
    """Change an attribution behind correct digests."""

    def put(folder: Path) -> None:
        edit_record(folder, change)

    return put


def value(new: object) -> Change:
    """Change the fourth value."""
    return lambda r: r["values"].__setitem__(3, new)


for _label, _change in {
    "value-is-text": value("0.5"),
    "value-is-null": value(None),
    "value-is-a-bool": value(True),
    "value-is-a-list": value([0.5]),
    "no-values": lambda r: r.update(values=[]),
    "values-left-out": lambda r: r.pop("values"),
    "values-are-an-object": lambda r: r.update(values={"0": 0.5}),
    "unknown-key-of-a-record": lambda r: r.update(more=1),
    "unknown-key-inside": lambda r: r["provenance"].update(more=1),
    "no-prompts": lambda r: r.update(per_prompt=[]),
    "prompts-of-different-lengths": lambda r: r.update(
        per_prompt=[[1.0] * 16, [1.0] * 15]
    ),
    "untrained-of-another-length": lambda r: r.update(untrained=[1.0]),
    "control-of-another-length": lambda r: r.update(control=[1.0]),
    "per-prompt-twice": lambda r: r.update(
        per_prompt=[r["values"]], per_prompt_file={"bytes": 1, "sha256": "0" * 64}
    ),
    "negative-time": lambda r: r.update(wall_s=-1.0),
    "negative-cost": lambda r: r.update(cost_forward_equivalents=-1),
    "float-for-a-version-of-the-task": lambda r: r["task"].update(version=1.0),
    "bool-for-a-seed": lambda r: r["provenance"].update(seed=True),
    "date-without-a-zone": lambda r: r["provenance"].update(
        finished="2026-01-02T03:04:05"
    ),
    "commit-that-is-none": lambda r: r["provenance"].update(git_commit="HEAD"),
}.items():
    case("S011", name=_label)(recorded(_change))

for _label, _change in {
    "huge-values": lambda r: r.update(values=[1e308, -1e308] * 8),
    "huge-integer": lambda r: r.update(values=[10**308] * 16),
    "huge-prompts": lambda r: r.update(per_prompt=[[1e308] * 16] * 4),
    "huge-untrained": lambda r: r.update(untrained=[1e101] * 16),
    "huge-control": lambda r: r.update(control=[-1e101] * 16),
    "huge-cost": lambda r: r.update(cost_forward_equivalents=1e308),
    "huge-time": lambda r: r.update(wall_s=1e308),
}.items():
    case("S036", name=_label)(recorded(_change))


@case("S009", "S011")
def nothing_but_texts(folder: Path) -> None:
    """Sixteen thousand problems in one file."""
    edit_record(folder, lambda r: r.update(values=["x"] * 16_000))


@case("S009", "S011")
def nothing_but_texts_in_a_small_file(folder: Path) -> None:
    """A thousand problems in one file, which the schema explains."""
    edit_record(folder, lambda r: r.update(values=["x"] * 1000))


@case("S030")
def unknown_task(folder: Path) -> None:
    """A task of somebody's own."""
    shutil.copy(folder / SECOND, folder / "mine.json")
    document = json.loads((folder / "mine.json").read_bytes())
    document["task"]["id"] = "my/task"
    (folder / "mine.json").write_text(json.dumps(document))
    entry = {"task": "my/task", "path": "mine.json", "bytes": 1, "sha256": "0" * 64}
    edit_manifest(folder, lambda m: m["files"].append(entry))
    rehash(folder)


@case("S031")
def other_version(folder: Path) -> None:
    """An answer to a version of the task that is no more."""
    edit_record(folder, lambda r: r["task"].update(version=2))


@case("S031")
def other_digest(folder: Path) -> None:
    """An answer to a task that was altered."""
    edit_record(folder, lambda r: r["task"].update(digest="0" * 64))


@case("S031")
def other_prompts(folder: Path) -> None:
    """An answer on other prompts."""
    edit_record(folder, lambda r: r["task"].update(prompts_sha256="0" * 64))


@case("S031")
def other_model(folder: Path) -> None:
    """An answer on another model."""
    edit_record(folder, lambda r: r["task"].update(model_sha256={}))


@case("S032")
def too_many_sections(folder: Path) -> None:
    """One value more than the model has sections."""
    edit_record(folder, lambda r: r["values"].append(1.0))


@case("S032")
def too_few_sections(folder: Path) -> None:
    """One value less than the model has sections."""
    edit_record(folder, lambda r: r["values"].pop())


@case("S033")
def answer_of_another_method(folder: Path) -> None:
    """Somebody else's answer."""
    edit_record(folder, lambda r: r["method"].update(name="other"))


@case("S033")
def answer_of_another_source(folder: Path) -> None:
    """An answer of another version of the method."""
    edit_record(folder, lambda r: r["method"].update(source_sha256="1" * 64))


@case("S033")
def answer_of_another_kind(folder: Path) -> None:
    """An answer that would be read otherwise."""
    edit_record(folder, lambda r: r["method"].update(kind="state"))


@case("S033")
def swapped_answers(folder: Path) -> None:
    """Each task has the other's answer."""

    def swap(manifest: dict) -> None:
        one, two = manifest["files"]
        one["task"], two["task"] = two["task"], one["task"]

    edit_manifest(folder, swap)


@case("S037")
def computed_in_few_bits(folder: Path) -> None:
    """An answer made with --dtype bfloat16."""
    edit_record(folder, lambda r: r["provenance"].update(dtype="bfloat16"))


@case("S034")
def not_the_mean(folder: Path) -> None:
    """Values and values of single prompts speak of different things."""
    edit_record(folder, lambda r: r.update(per_prompt=[[2 * v for v in r["values"]]]))


def rows(folder: Path) -> np.ndarray:
    """Return the values of single prompts."""
    data = (folder / ARRAYS).read_bytes()
    length = int.from_bytes(data[:8], "little")
    return np.frombuffer(data[8 + length :]).reshape(-1, 12)


def packed(header: object, body: bytes, *, length: int | None = None) -> bytes:
    """Write a safetensors file with any header, and any length of it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def described(folder: Path, **changes: object) -> dict:
    """Return the header that a file should have, changed."""
    values = rows(folder)
    honest = {
        "dtype": "F64",
        "shape": list(values.shape),
        "data_offsets": [0, values.nbytes],
    }
    return {"per_prompt": honest | changes}


def lying(label: str, **changes: object) -> None:
    """Enter a case whose header says something else than the truth."""

    def put(folder: Path) -> None:
        put_arrays(folder, packed(described(folder, **changes), rows(folder).tobytes()))

    case("S013", name=label)(put)


lying("header-of-another-type", dtype="F32")
lying("header-of-integers", dtype="I64")
lying("header-of-more-rows", shape=[901, 12])
lying("header-of-swapped-axes", shape=[12, 900])
lying("header-of-three-axes", shape=[900, 12, 1])
lying("header-of-no-axes", shape=[])
lying("header-of-huge-axes", shape=[2**62, 4])
lying("header-of-no-rows", shape=[0, 12])
lying("header-of-negative-axes", shape=[-900, -12])
lying("header-of-float-axes", shape=[900.0, 12.0])
lying("header-of-bool-axes", shape=[True, 12])
lying("header-of-shifted-offsets", data_offsets=[8, 86408])
lying("header-of-reversed-offsets", data_offsets=[86400, 0])
lying("header-of-huge-offsets", data_offsets=[0, 2**64])
lying("header-of-more-keys", comment="x")


def of_bytes(label: str, data: bytes) -> None:
    """Enter a case of a file that is no safetensors file at all."""

    def put(folder: Path) -> None:
        put_arrays(folder, data)

    case("S013", name=label)(put)


of_bytes("arrays-that-end-before-the-header", b"\x01")
of_bytes("arrays-of-a-huge-header", packed(b"{}", b"", length=2**63))
of_bytes("arrays-of-a-header-too-long", packed(b" " * 2000 + b"{}", b""))
of_bytes("arrays-that-are-a-pickle", b"\x80\x04\x95" + b"\x00" * 64)
of_bytes("arrays-that-are-an-archive", b"PK\x03\x04" + b"\x00" * 64)
of_bytes("header-that-is-no-json", packed(b"per_prompt", b""))
of_bytes("header-with-a-key-twice", packed(b'{"per_prompt":1,"per_prompt":1}', b""))
of_bytes("header-that-is-deep", packed(b"[" * 500 + b"]" * 500, b""))
of_bytes("header-of-nothing", packed({}, b""))


@case("S013")
def header_with_metadata(folder: Path) -> None:
    """Texts that nothing reads."""
    header = described(folder) | {"__metadata__": {"format": "pt"}}
    put_arrays(folder, packed(header, rows(folder).tobytes()))


@case("S013")
def second_tensor(folder: Path) -> None:
    """A tensor that nobody asked for."""
    arrays = {"per_prompt": rows(folder), "more": np.zeros(2)}
    put_arrays(folder, save(arrays))


@case("S013")
def overlapping_tensors(folder: Path) -> None:
    """Two tensors on the same bytes."""
    header = described(folder)
    header["more"] = header["per_prompt"]
    put_arrays(folder, packed(header, rows(folder).tobytes()))


@case("S013")
def tensor_of_another_name(folder: Path) -> None:
    """The right values under another name."""
    put_arrays(folder, save({"values": rows(folder)}))


@case("S013")
def trailing_bytes(folder: Path) -> None:
    """Something behind the values."""
    put_arrays(folder, (folder / ARRAYS).read_bytes() + b"PK\x03\x04")


@case("S013")
def cut_arrays(folder: Path) -> None:
    """The last value lacks a byte."""
    put_arrays(folder, (folder / ARRAYS).read_bytes()[:-1])


def with_value(label: str, number: float, code: str) -> None:
    """Enter a case of one wrong value among ten thousand."""

    def put(folder: Path) -> None:
        values = rows(folder).copy()
        values[700, 7] = number
        put_arrays(folder, save({"per_prompt": values}))

    case(code, name=label)(put)


with_value("nan-inside", np.nan, "S013")
with_value("infinity-inside", np.inf, "S013")
with_value("huge-number-inside", 1e300, "S036")
with_value("another-number-inside", 1e6, "S034")


@case("S013")
def arrays_of_another_width(folder: Path) -> None:
    """Rows that are shorter than the values."""
    put_arrays(folder, save({"per_prompt": rows(folder)[:, :11].copy()}))


@case("S013")
def tampered_arrays(folder: Path) -> None:
    """A bit was turned after packing."""
    data = bytearray((folder / ARRAYS).read_bytes())
    data[-1] ^= 1
    (folder / ARRAYS).write_bytes(data)


@case("S011")
def arrays_of_a_size_that_is_too_large(folder: Path) -> None:
    """A record that announces more than may be read."""
    entry = {"bytes": 2_000_001, "sha256": "0" * 64}
    edit_record(folder, lambda r: r.update(per_prompt_file=entry), name=FIRST)
    assert (folder / MANIFEST).exists()
