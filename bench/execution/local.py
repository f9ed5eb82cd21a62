"""Units one after the other, in this process."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from bench.evaluation.units import Announce, Done, Unit, Worker


@dataclass(frozen=True)
class LocalExecutor:
    """Does units in this process, with the progress of each."""

    def run(
        self, units: Sequence[Unit], announce: Announce
    ) -> Generator[tuple[Unit, Done], None, None]:
        """Do all units in their order."""
        worker = Worker()
        for unit in units:
            yield unit, worker.do(unit, announce(unit.title))
