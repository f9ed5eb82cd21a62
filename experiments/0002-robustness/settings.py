"""What is varied: the settings of a cell and the list of all cells."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

GATES = ("mean", "resample")
"""Ablations that the agreement gate compares."""
ALL_ABLATIONS = ("mean", "resample", "resample-2", "pooled", "zero")


@dataclass(frozen=True)
class Setting:
    """How one cell is measured; the defaults are the study's baseline."""

    period: int = 16
    prompts: int = 32
    prompt_seed: int = 7
    direction: str = "token"
    direction_seed: int = 0
    strength: float | None = 1e-3
    """None is the exact linear response."""
    dtype: str = "float32"
    ablations: tuple[str, ...] = ()
    untrained: bool = False


@dataclass(frozen=True)
class Cell:
    """One measurement: a subject model by name, a setting and a label."""

    subject: str
    axis: str
    label: str
    setting: Setting

    @property
    def key(self) -> str:
        """Name of the cell's file."""
        return f"{self.subject}--{self.axis}--{self.label}"

    def as_dict(self) -> dict[str, object]:
        """Return the cell as plain data."""
        return asdict(self)


STRENGTHS = (1e-6, 1e-5, 1e-4, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, None)

LEAST = 3
"""Rank from which on a model is looked at least."""

Listed = Iterator[tuple[int, Cell]]
"""(priority, cell): cells of a low priority number are measured first."""


def trained_cells(name: str, *, rank: int) -> Listed:
    """List the cells of a trained model.

    Args:
        name: The subject model.
        rank: 0 for the model that is looked at most, 1 and 2 for two that are looked
            at less, 3 and more for the rest.
    """
    full = Setting(ablations=ALL_ABLATIONS)
    yield 0, Cell(name, "baseline", "baseline", full)
    yield from _gains(name, rank)
    yield from _compositions(name, rank)


def _gains(name: str, rank: int) -> Listed:
    """Vary what needs no ablation."""
    base, few = Setting(), rank >= LEAST
    for strength in (1e-1, None) if few else STRENGTHS:
        label = "exact" if strength is None else f"{strength:g}"
        yield 1, Cell(name, "strength", label, replace(base, strength=strength))
    for kind, seed in (("token", 1), ("random", 0), ("along", 0)):
        setting = replace(base, direction=kind, direction_seed=seed)
        yield 1, Cell(name, "direction", f"{kind}-{seed}", setting)
    for period in (8, 32) if few else (8, 12, 24, 32):
        yield 1, Cell(name, "period", f"N{period}", replace(base, period=period))
    yield 1, Cell(name, "prompt-seed", "seed-9", replace(base, prompt_seed=9))
    for period in (16,) if rank else (8, 16, 32):
        setting = replace(base, period=period, untrained=True)
        yield 1, Cell(name, "untrained", f"N{period}", setting)
    for strength in () if few else (3e-3, 3e-2, 1e-1, 3e-1):
        setting = replace(base, strength=strength, dtype="bfloat16", prompts=4)
        yield 2, Cell(name, "bfloat16", f"{strength:g}", setting)


def _compositions(name: str, rank: int) -> Listed:
    """Vary what ablations answer."""
    one, both = Setting(ablations=("mean",)), Setting(ablations=GATES)
    if rank < LEAST:
        axis = "period-composition"
        yield 2, Cell(name, axis, "N8", replace(both, period=8))
        yield 2, Cell(name, "prompts", "P8", replace(both, prompts=8))
        setting = replace(one, direction="random")
        yield 3, Cell(name, "direction-composition", "random-0", setting)
    if rank == 0:
        for strength in (1e-2, 1e-1, 3e-1):
            setting = replace(one, strength=strength)
            yield 3, Cell(name, "strength-composition", f"{strength:g}", setting)
        setting = replace(one, strength=1e-1, dtype="bfloat16")
        yield 3, Cell(name, "bfloat16-composition", "0.1", setting)
        yield 2, Cell(name, "prompts", "P16", replace(both, prompts=16))
        yield 3, Cell(name, axis, "N12", replace(both, period=12))
        yield 3, Cell(name, "prompt-seed-composition", "seed-8", _seeded(both))
        yield 4, Cell(name, axis, "N24", replace(both, period=24, prompts=16))
        setting = replace(one, direction="along")
        yield 4, Cell(name, "direction-composition", "along-0", setting)


def _seeded(setting: Setting) -> Setting:
    return replace(setting, prompt_seed=8)


def gate_cells(name: str) -> Listed:
    """List the one cell of a model of which only the gates are looked at."""
    yield 2, Cell(name, "baseline", "baseline", Setting(ablations=GATES))


@dataclass(frozen=True)
class PlantedName:
    """A planted model, written as a subject's name."""

    architecture: str
    blocks: int
    seed: int
    redundant: bool = False

    def __str__(self) -> str:
        """Return ``planted-<architecture>-<blocks>-<seed>[-redundant]``."""
        tail = "-redundant" if self.redundant else ""
        return f"planted-{self.architecture}-{self.blocks}-{self.seed}{tail}"

    @classmethod
    def parse(cls, name: str) -> "PlantedName":
        """Read what ``str`` wrote."""
        _, architecture, blocks, seed, *tail = name.split("-")
        return cls(architecture, int(blocks), int(seed), redundant=bool(tail))


def planted_cells() -> Listed:
    """List planted models of 6 to 16 blocks, some with ablations."""
    for architecture in ("llama", "gpt2", "gemma2"):
        for blocks in (6, 8, 10, 12, 16):
            for seed in (1, 2):
                name = str(PlantedName(architecture, blocks, seed))
                yield 1, Cell(name, "depth", "depth", Setting(prompts=16))
    setting = Setting(ablations=GATES, prompts=20)
    for architecture, blocks, redundant in (
        ("llama", 6, True),
        ("llama", 12, False),
        ("gemma2", 12, False),
    ):
        name = str(PlantedName(architecture, blocks, 1, redundant=redundant))
        yield 3, Cell(name, "depth-gates", "gates", setting)
