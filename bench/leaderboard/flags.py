"""Flag submissions that say too well what is public already.

References are public, and so is every submission. A flag is no proof: it keeps a
submission from being ranked until a maintainer has looked at it and cleared it.

Shapes: B resamples, S sections.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

from bench.leaderboard.clones import same_as_earlier
from bench.leaderboard.rows import Entry
from bench.profiles.promptwise import PROFILES
from bench.results.targets import Targets
from bench.results.trusted import Trusted
from bench.scores.shares import has_shares, shares

FlagKind = Literal["closeness", "clone"]


@dataclass(frozen=True)
class Flag:
    """Why somebody has to look at a submission before it may be ranked."""

    kind: FlagKind
    text: str


def find_flags(
    entries: Sequence[Entry],
    trusted: Trusted,
    *,
    suite: str,
    order: Sequence[str] = (),
) -> dict[str, tuple[Flag, ...]]:
    """Look at every submission that is not built in.

    Args:
        entries: All valid submissions, the built-in ones among them.
        trusted: The repository's references.
        suite: Suite of the entries.
        order: Names in the order in which they were added: the first of two clones is
            not flagged. Names that are not there come last, in their own order.

    Returns:
        Method to its flags, of methods that have any.
    """
    rank = {name: place for place, name in enumerate(order)}
    ordered = sorted(entries, key=lambda entry: _age(entry, rank))
    flags: dict[str, tuple[Flag, ...]] = {}
    for entry, earlier in zip(ordered, same_as_earlier(ordered), strict=True):
        if entry.method.origin == "built-in":
            continue
        found = (*_too_close(entry, trusted, suite), *_clone(earlier))
        if found:
            flags[entry.method.name] = found
    return flags


def _age(entry: Entry, rank: Mapping[str, int]) -> tuple[bool, int, str]:
    name = entry.method.name
    return entry.method.origin != "built-in", rank.get(name, len(rank)), name


def _clone(earlier: Sequence[str]) -> Iterator[Flag]:
    if earlier:
        yield Flag("clone", f"the same answers as {', '.join(earlier)}")


def _too_close(entry: Entry, trusted: Trusted, suite: str) -> Iterator[Flag]:
    names = [
        record.task.id
        for record in entry.records
        if is_too_close(record.writes.values, trusted.targets(record.task.id, suite))
    ]
    if names:
        yield Flag(
            "closeness",
            f"closer to the stored profiles of {', '.join(names)} than another "
            "measurement of the same quantity would be",
        )


def is_too_close(values: Float[np.ndarray, " S"], targets: Targets) -> bool:
    """Whether an attribution is nearer to a reference than its noise permits.

    The attribution is compared with the nearest mixture of both profiles. A measurement
    without any error of its own would still not have seen the prompts of the reference:
    it would lie as far from the stored mixture as the mixture under resampled prompts
    does. Being nearer than every resample happens to it once in their number.
    """
    if not has_shares(values):
        return False
    profiles = [targets[name].values for name in PROFILES]
    if not all(map(has_shares, profiles)):
        return False
    own = shares(values)
    stored = np.stack([shares(profile) for profile in profiles])
    weights = cast(np.ndarray, nnls(stored.T, own)[0])
    if not weights.any():
        return False
    resampled = np.stack([_row_shares(targets[name].resampled) for name in PROFILES])
    mixture = _mixed(weights, stored)
    noise = _distance(_mixed(weights, resampled), mixture)
    return bool(_distance(own, mixture) < noise.min())


def _row_shares(rows: Float[np.ndarray, "B S"]) -> Float[np.ndarray, "B S"]:
    """Return the shares of each row; one that is nowhere positive has none."""
    positive = np.clip(rows, 0.0, None)
    return positive / np.maximum(positive.sum(axis=1, keepdims=True), 1e-300)


def _mixed(
    weights: Float[np.ndarray, " n"], profiles: Float[np.ndarray, "n *B S"]
) -> Float[np.ndarray, "*B S"]:
    """Mix profiles; the result sums to 1 as they do."""
    return np.tensordot(weights / weights.sum(), profiles, axes=1)


def _distance(
    one: Float[np.ndarray, "*B S"], other: Float[np.ndarray, " S"]
) -> Float[np.ndarray, "*B"]:
    """Return 1 - overlap."""
    return np.asarray(0.5 * np.abs(one - other).sum(axis=-1))
