"""Prompts as data: what a method sees and what the reference is measured on.

Positions count from 0, the beginning-of-sequence token included.
"""

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from bench.errors import FileFormatError, UserError
from bench.tasks.frozen import FrozenModel, describe
from bench.tasks.strict_json import find_problem

Split = Literal["discovery", "reference"]
Position = Annotated[int, Field(ge=0)]
TokenId = Annotated[int, Field(ge=0)]


class Probe(FrozenModel):
    """One correlation that the prompt holds: a source and where it is needed."""

    source: Position
    """Perturbed position j, the first occurrence of a token."""
    site: Position
    """Copy site i: the position that must predict the source's token."""
    controls: Annotated[tuple[tuple[Position, Position], ...], Field(min_length=1)]
    """(source, site) pairs that hold no such correlation."""
    previous_site: Position
    """The position after the source, where a previous-token section writes."""
    match_site: Position
    """The second occurrence of the source's own token."""

    @property
    def far_controls(self) -> tuple[tuple[Position, Position], ...]:
        """Controls at least half as far apart as the probe's own source and site.

        Sections that look back a few positions move nearer ones as well, the more of
        them the deeper the model; that says nothing about the correlation.
        """
        least = (self.site - self.source) / 2
        return tuple((j, i) for j, i in self.controls if i - j >= least)

    def positions(self) -> Iterator[int]:
        """Go through every position that the probe names."""
        yield from (self.source, self.site, self.previous_site, self.match_site)
        for source, site in self.controls:
            yield from (source, site)


class Prompt(FrozenModel):
    """A prompt, its two counterparts and its probes."""

    id: str
    split: Split
    input_ids: tuple[TokenId, ...]
    """The repeated prompt: BOS, a half, the same half again."""
    control_ids: tuple[TokenId, ...]
    """The same first half, then fresh tokens: what the reference subtracts."""
    corrupt_ids: tuple[TokenId, ...]
    """A fresh first half, then the same second half: what methods contrast with."""
    probes: Annotated[tuple[Probe, ...], Field(min_length=1)]

    @property
    def perturbed(self) -> tuple[int, ...]:
        """Positions that the probes and their controls perturb, ascending."""
        sources = {probe.source for probe in self.probes}
        sources |= {source for probe in self.probes for source, _ in probe.controls}
        return tuple(sorted(sources))


def prompt_lines(prompts: Sequence[Prompt]) -> bytes:
    """Write prompts as JSON lines."""
    return "".join(prompt.model_dump_json() + "\n" for prompt in prompts).encode()


def read_prompts(path: Path, *, split: Split) -> tuple[Prompt, ...]:
    """Read one split of a prompt file.

    Args:
        path: A file of JSON lines, one prompt a line.
        split: Which prompts to keep.

    Raises:
        FileFormatError: A line is malformed, a prompt does not hold together, or the
            split is empty. All problems of the file are reported at once.
    """
    prompts = _validated(path)
    problems = list(find_problems(prompts))
    if problems:
        raise FileFormatError(f"'{path}' is not usable:\n" + "\n".join(problems))
    chosen = tuple(prompt for prompt in prompts if prompt.split == split)
    if not chosen:
        raise FileFormatError(f"'{path}' holds no prompt of the split '{split}'.")
    return chosen


def _validated(path: Path) -> list[Prompt]:
    """Check every line against the prompt model and report all problems at once."""
    prompts: list[Prompt] = []
    problems: list[str] = []
    for number, line in _lines(path):
        problem = find_problem(line)
        if problem is not None:
            problems.append(f" line {number} is not strict JSON: {problem}")
            continue
        try:
            prompts.append(Prompt.model_validate_json(line))
        except ValidationError as error:
            problems.append(f" line {number}:\n{describe(error)}")
    if problems:
        raise FileFormatError(f"'{path}' is not usable:\n" + "\n".join(problems))
    return prompts


def _lines(path: Path) -> list[tuple[int, bytes]]:
    """Read the lines that are not blank, with their numbers."""
    try:
        data = path.read_bytes().removeprefix(BOM_UTF8)
    except OSError as error:
        raise FileFormatError(f"'{path}' cannot be read: {error.strerror}.") from None
    numbered = enumerate(data.split(b"\n"), start=1)
    lines = [(number, line) for number, line in numbered if line.strip()]
    if not lines:
        raise FileFormatError(f"'{path}' is empty; expected one prompt a line.")
    return lines


def check_readable(prompts: Sequence[Prompt], *, vocabulary: int, context: int) -> None:
    """Refuse prompts that a model cannot read.

    Args:
        prompts: The prompts, at least one.
        vocabulary: Number of tokens that the model knows.
        context: Longest prompt that it can read, in tokens.

    Raises:
        UserError: A token id lies outside of the vocabulary, or the prompts are longer
            than the context. All problems are reported at once.
    """
    problems: list[str] = []
    largest = max(max(*p.input_ids, *p.control_ids, *p.corrupt_ids) for p in prompts)
    if largest >= vocabulary:
        problems.append(
            f"The prompts hold token {largest}; the model's vocabulary ends at "
            f"{vocabulary - 1}."
        )
    longest = max(len(prompt.input_ids) for prompt in prompts)
    if longest > context:
        problems.append(
            f"The prompts have {longest} tokens; the model's context holds {context}."
        )
    if problems:
        raise UserError(" ".join([*problems, "Draw prompts for this model."]))


def find_problems(prompts: Sequence[Prompt]) -> Iterator[str]:
    """Say in what respect prompts do not hold together, prompt by prompt."""
    for prompt_id, count in Counter(prompt.id for prompt in prompts).items():
        if count > 1:
            yield f"  prompt '{prompt_id}': the id occurs {count} times."
    if not prompts:
        return
    first = prompts[0]
    length = len(first.input_ids)
    counts = (length, length, length, len(first.probes), len(first.perturbed))
    for prompt in prompts:
        for (found, said), wanted in zip(_counts(prompt), counts, strict=True):
            if found != wanted:
                yield (
                    f"  prompt '{prompt.id}': {said}; every prompt of a task has the "
                    f"same number, here {wanted}."
                )
        yield from _probe_problems(prompt, length=length)
    yield from _distance_problems(prompts)


def _counts(prompt: Prompt) -> Iterator[tuple[int, str]]:
    """List the numbers that are equal over a task, each as a number and in words."""
    for field in ("input_ids", "control_ids", "corrupt_ids"):
        count = len(getattr(prompt, field))
        yield count, f"{field} has {count} tokens"
    yield len(prompt.probes), f"{len(prompt.probes)} probes"
    yield len(prompt.perturbed), f"{len(prompt.perturbed)} different sources"


def _probe_problems(prompt: Prompt, *, length: int) -> Iterator[str]:
    for number, probe in enumerate(prompt.probes):
        where = f"  prompt '{prompt.id}', probe {number}:"
        if max(probe.positions()) >= length:
            yield f"{where} a position lies outside the prompt of {length} tokens."
        if probe.source == 0:
            yield f"{where} its source is the first token, which nothing predicts."
        if probe.source >= probe.site:
            yield f"{where} its site {probe.site} is not after its source."
        yield from _control_problems(prompt, probe, where)
        if not probe.far_controls:
            yield (
                f"{where} none of its controls is at least half as far from its source "
                f"as its own site is (here {probe.site - probe.source}); nearer ones "
                "answer to whatever mixes neighbouring positions."
            )


def _control_problems(prompt: Prompt, probe: Probe, where: str) -> Iterator[str]:
    """Say which controls can respond to nothing, or hold a correlation."""
    pairs = {(other.source, other.site) for other in prompt.probes}
    for source, site in dict.fromkeys(probe.controls):
        control = f"{where} its control ({source}, {site})"
        if (source, site) == (probe.source, probe.site):
            yield f"{where} its own copy site is among its controls."
        elif (source, site) in pairs:
            yield f"{control} is a probe of this prompt."
        elif source == 0:
            yield f"{control} has the first token as source."
        elif source >= site:
            yield f"{control} never responds: its site is not after its source."


def _distance_problems(prompts: Sequence[Prompt]) -> Iterator[str]:
    """Controls must share the probe's distance as soon as distances vary.

    Otherwise short-range mixing in the first block passes for a signature.
    """
    distances = {probe.site - probe.source for p in prompts for probe in p.probes}
    if len(distances) == 1:
        return
    for prompt in prompts:
        for number, probe in enumerate(prompt.probes):
            wanted = probe.site - probe.source
            if any(site - source != wanted for source, site in probe.controls):
                yield (
                    f"  prompt '{prompt.id}', probe {number}: the distance from source "
                    "to site varies over this task, so every control must have the "
                    f"probe's own distance {wanted}."
                )
