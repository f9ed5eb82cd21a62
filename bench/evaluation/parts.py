"""Parts of an evaluation: each is computed once and kept."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from bench.cache.cache import Cache
from bench.cache.entry import Entry, Key, make_entry
from bench.evaluation.answers import run_method
from bench.evaluation.contexts import OpenedTask
from bench.evaluation.keys import computation_key, model_provenance
from bench.methods.context import TaskContext
from bench.methods.discovery import FoundMethod
from bench.models.modes import usual_modes
from bench.profiles.attribution import LayerAttribution
from bench.results.attribution_record import Values
from bench.tasks.frozen import FrozenModel

ATTRIBUTION, UNTRAINED, CONTROL, COST = "attribution", "untrained", "control", "cost"
PARTS = (ATTRIBUTION, UNTRAINED, CONTROL)
"""The parts of an evaluation that went well; the cost has one of its own where it
could not be counted with the control."""


class Part(FrozenModel):
    """What a run of a method gave."""

    values: Values
    per_prompt: tuple[Values, ...] | None = None
    cost: Annotated[float, Field(ge=0)] | None = None
    """In forward-equivalents, where it was counted."""


Compute = Callable[[], tuple[Part, float]]
"""Run a method; returns what it gave and the wall time in seconds."""


@dataclass(frozen=True)
class Parts:
    """Computes parts of one method on one task, or takes them from the cache."""

    found: FoundMethod
    opened: OpenedTask
    cache: Cache
    made: list[Entry] = field(default_factory=list)
    """What was computed here, in order."""

    def key(self, what: str) -> Key:
        """Return the key of a part."""
        opened = self.opened
        return computation_key(
            what,
            opened.task,
            device=opened.device,
            seed=opened.seed,
            found=self.found,
            settings={"dtype": opened.dtype},
        )

    def run(self, ctx: TaskContext) -> tuple[LayerAttribution, float]:
        """Run the method; see :func:`~bench.evaluation.answers.run_method`.

        After a failure whoever comes next has the models loaded anew.
        """
        try:
            with usual_modes(), self.opened.precision():
                return run_method(self.found, ctx)
        except BaseException:  # an interrupt as well: the process may go on
            self.opened.forget()
            raise

    @property
    def kept(self) -> bool:
        """Whether everything that takes a model is there already."""
        return all(self.cache.find(self.key(what)) for what in PARTS)

    def take(self, what: str, compute: Compute) -> tuple[Part, Entry]:
        """Return a part and its entry, computed if it is not there.

        A failure is not kept: the next run may have more memory.
        """
        key = self.key(what)
        entry = self.cache.find(key)
        if entry is None:
            entry = self._computed(key, compute)
        return Part.parse(entry.payload, file=what), entry

    def _computed(self, key: Key, compute: Compute) -> Entry:
        part, wall_s = compute()
        payload = part.model_dump_json().encode()
        provenance = model_provenance(
            self.opened.subject, seed=self.opened.seed, dtype=self.opened.dtype
        )
        entry = make_entry(key, payload, wall_s=wall_s, provenance=provenance)
        self.cache.add(entry)
        self.made.append(entry)
        return entry
