"""An entry of the cache: what was computed, under which key, and when.

A file is a line with the SHA-256 of what follows, a line of JSON, the header, and then
the bytes that were computed: a file that was cut off or changed anywhere is noticed.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from bench.errors import FileFormatError
from bench.results.attribution_record import MethodKey, TaskKey
from bench.results.provenance import Provenance
from bench.tasks.digest import sha256_of_bytes, sha256_of_record
from bench.tasks.frozen import FrozenModel, SchemaVersion
from bench.tasks.spec import Digest, Text

Setting = str | int | float | bool | None


class Key(FrozenModel):
    """Everything that some computed bytes depend on. Its digest names them."""

    what: Text
    """Which part of the work, as in ``attribution``."""
    task: TaskKey
    method: MethodKey | None = None
    method_code: Digest | None = None
    """Over all files that come with the method."""
    settings: dict[Text, Setting] = Field(default_factory=dict)
    """What the part was told besides."""
    device: Text
    seed: int
    code: Digest
    """Over the parts of this package that compute."""
    packages: dict[Text, Text]
    """Versions of the packages that numbers depend on."""

    @property
    def digest(self) -> str:
        """The name of what is computed under this key."""
        return sha256_of_record(self.model_dump(mode="json"))


class Header(FrozenModel):
    """What an entry says of itself."""

    schema_version: SchemaVersion = 1
    key: Key
    wall_s: Annotated[float, Field(ge=0)]
    provenance: Provenance


@dataclass(frozen=True)
class Entry:
    """Computed bytes and what is known of them."""

    header: Header
    payload: bytes

    @property
    def key(self) -> Key:
        """What the bytes depend on."""
        return self.header.key


def make_entry(
    key: Key, payload: bytes, *, wall_s: float, provenance: Provenance
) -> Entry:
    """Describe computed bytes."""
    return Entry(Header(key=key, wall_s=wall_s, provenance=provenance), payload)


def entry_to_bytes(entry: Entry) -> bytes:
    """Write an entry."""
    content = entry.header.model_dump_json().encode() + b"\n" + entry.payload
    return sha256_of_bytes(content).encode() + b"\n" + content


def parse_entry(data: bytes, *, file: str) -> Entry:
    """Read an entry, and check that it holds what it says.

    Raises:
        FileFormatError: It is cut off, altered, or none.
    """
    digest, _, content = data.partition(b"\n")
    if sha256_of_bytes(content).encode() != digest:
        raise FileFormatError(
            f"'{file}' is not what was written: it was cut off or altered. It is never "
            "used, and computed again when it is needed."
        )
    header, _, payload = content.partition(b"\n")
    return Entry(Header.parse(header, file=file), payload)
