"""``leaderboard.json``: the leaderboard as data, with a published schema."""

from typing import Annotated, Literal

from pydantic import Field

from bench.leaderboard.rows import Kind, Tier
from bench.profiles.promptwise import ProfileName
from bench.results.erratum_record import Erratum, Skill, Versions
from bench.tasks.frozen import FrozenModel
from bench.tasks.spec import Digest, Slug

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Interval = tuple[float, float]


class BoardMean(FrozenModel):
    """A mean skill over tasks."""

    skill: Skill | None
    interval: Interval | None
    """95 % over tasks."""
    prompt_interval: Interval | None
    """95 % over prompts, on these tasks."""
    undefined: str | None
    """Why there is no skill."""


class BestNull(FrozenModel):
    """The null that comes nearest to the reference."""

    name: str
    overlap: Share


class BoardProfile(FrozenModel):
    """All scores on one profile of a task."""

    overlap: Share | None
    skill: Skill | None
    interval: Interval | None
    """95 % over prompts."""
    undefined: str | None
    ranked: bool
    """Whether the profile leaves enough room to rank on."""
    ceiling: Share
    best_null: BestNull
    own_null: Share | None
    """Overlap of the method's own answer on an untrained model."""
    pearson: float | None = None
    spearman: float | None = None
    top_k_recall: Share | None = None
    onset_error: float | None = None
    wasserstein: float | None = None


class BoardTask(FrozenModel):
    """A method on one task."""

    task: str
    status: Literal["ok"]
    profiles: dict[ProfileName, BoardProfile]
    cost_forward_equivalents: float | None
    wall_s: float | None
    own_control: dict[ProfileName, Share | None] | None
    """Overlap of the method's own answer on prompts that do not repeat."""
    no_own_null: str | None
    """Why the method has no attribution on an untrained model."""


class BoardFresh(FrozenModel):
    """Running a submission again on circuits planted after it was made."""

    verdict: Literal["reproduced", "refused"]
    commit: str
    """What the circuits derive from."""
    circuits: int
    skill: Skill | None
    """Mean over circuits and profiles."""
    interval: Interval | None
    """95 % over circuits."""


class BoardRow(FrozenModel):
    """A method, or a null."""

    method: str
    kind: Kind
    tier: Tier
    summary: str
    digest: Digest | None
    """Of the submission's manifest; None for a null method."""
    fresh: BoardFresh | None
    """None of what was not run again, and of what this repository runs itself."""
    notes: tuple[str, ...]
    """Why a submission is a claim, and no more."""
    mean_skill: Skill | None
    interval: Interval | None
    prompt_interval: Interval | None
    undefined: str | None
    profiles: dict[ProfileName, BoardMean]
    rank_interval: tuple[int, int] | None
    """Places that the choice of tasks leaves open; None if the row is not ranked."""
    prompt_rank_interval: tuple[int, int] | None
    """Places that the choice of prompts on these tasks leaves open."""
    in_top_group: bool
    """Whether no row is better beyond doubt."""
    tasks_done: int
    tasks_total: int
    cost_forward_equivalents: float | None
    date: str | None
    tasks: dict[str, BoardTask]


class BoardWithdrawn(FrozenModel):
    """A submission that its author took back."""

    method: Slug
    reason: str


class Board(FrozenModel):
    """The leaderboard of a suite."""

    suite: str
    suite_version: str
    versions: Versions
    """What the numbers are computed by; under the same they are the same."""
    rows: tuple[BoardRow, ...]
    """From the best mean skill to the worst, undefined ones last."""
    reference_pending: dict[str, tuple[str, ...]]
    """Suite to its tasks whose references were not measured yet."""
    withdrawn: tuple[BoardWithdrawn, ...] = ()
    errata: tuple[Erratum, ...] = ()
    """Corrections of scores and references, from the first to the last."""
