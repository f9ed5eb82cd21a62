"""Outcomes of units as plain bytes and strings, to cross from process to process."""

from dataclasses import dataclass

from bench.cache.entry import entry_to_bytes, parse_entry
from bench.errors import (
    BenchError,
    DigestError,
    FileFormatError,
    MethodError,
    MethodFailedError,
    ModelUnavailableError,
    NoRoomError,
    OutOfMemoryError,
    RunFailedError,
    UserError,
)
from bench.evaluation.units import Done
from bench.results.attribution_record import AttributionRecord

ERRORS: dict[str, type[BenchError]] = {
    kind.__name__: kind
    for kind in (
        NoRoomError,
        MethodFailedError,
        ModelUnavailableError,
        OutOfMemoryError,
        RunFailedError,
        DigestError,
        FileFormatError,
        MethodError,
        UserError,
    )
}
"""Errors that a message makes; others arrive as the nearest of these."""


@dataclass(frozen=True)
class Packed:
    """An outcome in transit."""

    record: str | None
    entries: tuple[bytes, ...]
    error: tuple[str, str] | None
    """Kind and message."""


def pack(done: Done) -> Packed:
    """Make an outcome ready to be sent."""
    error = None
    if done.error is not None:
        names = [kind.__name__ for kind in type(done.error).__mro__]
        error = (next(name for name in names if name in ERRORS), str(done.error))
    return Packed(
        None if done.record is None else done.record.model_dump_json(),
        tuple(map(entry_to_bytes, done.made)),
        error,
    )


def unpack(packed: Packed) -> Done:
    """Return the outcome that was sent."""
    record = packed.record
    return Done(
        None
        if record is None
        else AttributionRecord.parse(record, file="what a worker sent"),
        tuple(parse_entry(e, file="what a worker sent") for e in packed.entries),
        None if packed.error is None else ERRORS[packed.error[0]](packed.error[1]),
    )
