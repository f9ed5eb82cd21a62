"""What the child is asked: claimed tasks, their untrained models, planted circuits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.evaluation.contexts import OpenedTask
from bench.models.behaviour import to_batch
from bench.reproduction.circuits import (
    Circuit,
    circuit_of,
    hashed_seed,
    measured_nulls,
)
from bench.reproduction.disguise import disguise
from bench.reproduction.replies import Expected
from bench.reproduction.workspace import Given
from bench.results.attribution_record import AttributionRecord
from bench.results.targets import Nulls
from bench.tasks.spec import Task


@dataclass(frozen=True)
class Question:
    """One circuit for the method."""

    task: Task | None
    """None for a fresh circuit."""
    circuit: Circuit | None
    """None where nobody knows the truth: a trained or an untrained model."""
    seed: int
    """Of the method's generator."""
    untrained: bool = False
    """Whether an untrained model takes the place of the task's."""
    disguise: int | None = None
    """Seed of a disguise of the task's model; None for none."""

    @property
    def label(self) -> str:
        """What it is called in messages."""
        if self.task is not None:
            of = "the untrained model of " if self.untrained else ""
            of = of if self.disguise is None else "the disguised model of "
            return f"{of}'{self.task.id}'"
        kind = "" if self.circuit is None else f" ({self.circuit.shape.architecture})"
        return f"a fresh circuit{kind}"


@dataclass(frozen=True)
class Asked:
    """A question and what reading and grading its answer needs."""

    question: Question
    expected: Expected
    nulls: Nulls | None
    """Of a planted circuit."""
    kept: tuple[int, ...] | None = None
    """Of a disguised model: where the public one's sections are."""


def ask(
    records: Mapping[str, AttributionRecord],
    tasks: Mapping[str, Task],
    *,
    planted: Sequence[Task],
    fresh: Sequence[Circuit],
    key: str,
) -> Iterator[Question]:
    """Yield everything that is asked, in an order of no meaning.

    Args:
        records: Task to what is claimed on it.
        tasks: The repository's tasks.
        planted: Public tasks whose truth is known; asked whether claimed or not.
        fresh: Fresh circuits.
        key: Decides how trained models are disguised.
    """
    seed = next(iter(records.values())).provenance.seed
    known = {task.id: circuit_of(task) for task in planted}
    for name, record in records.items():
        own = record.provenance.seed
        yield Question(tasks[name], known.get(name), own)
        yield Question(tasks[name], None, own, untrained=True)
        if name not in known:
            seed_of = hashed_seed(f"{key}\n{name}")
            yield Question(tasks[name], None, own, disguise=seed_of)
    for task in planted:
        if task.id not in records:
            yield Question(task, known[task.id], seed)
    for circuit in fresh:
        yield Question(None, circuit, seed)


def open_question(question: Question) -> tuple[Given, Asked]:
    """Load or build the model of a question.

    Raises:
        UserError: The task's files or model cannot be used.
        RunFailedError: A hub model cannot be had.
    """
    if question.task is None:
        return _open_fresh(question)
    opened = OpenedTask(question.task, device="cpu", seed=question.seed)
    subject = opened.untrained if question.untrained else opened.subject
    nulls = None
    if question.circuit is not None:
        nulls = measured_nulls(subject, question.task.read_prompts("discovery"))
    prompts, kept = opened.prompts, None
    if question.disguise is not None:
        made = disguise(subject, prompts, seed=question.disguise)
        subject, prompts, kept = made.model, made.prompts, made.kept
    given = Given(subject.module, prompts, question.seed)
    expected = Expected(subject.n_sections, len(prompts))
    return given, Asked(question, expected, nulls, kept)


def _open_fresh(question: Question) -> tuple[Given, Asked]:
    if question.circuit is None:
        raise ValueError("A question has a task or a circuit.")
    model, prompts = question.circuit.build(), question.circuit.prompts()
    given = Given(model.module, to_batch(prompts, device="cpu"), question.seed)
    expected = Expected(model.n_sections, len(prompts))
    return given, Asked(question, expected, measured_nulls(model, prompts))
