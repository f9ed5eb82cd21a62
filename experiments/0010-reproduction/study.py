"""How often does the gate refuse honest methods, and how often cheats?

    python experiments/0010-reproduction/study.py skills.json > results.txt

reads what ``run.py`` collected. Public circuits are the repository's own, or, to see
what another choice of them would have done, drawn from the fresh ones.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.reproduction.circuits import Shape
from bench.reproduction.gate import permutation_test
from bench.scores.nulls import constant
from bench.scores.overlap import overlap
from bench.tasks.planted import PlantedRecipe, draw_placement

DRAWS = 100
EACH = (5, 10, 20)
LEVELS = (0.05, 0.01)
MARGINS = (0.0, 0.02, 0.05, 0.1)
STORED = 0.75
"""The most that one answer finds of both profiles of a circuit with one copying
section: it is all of the one and half of the other."""

Values = dict[Shape, tuple[float, list[float]]]
"""Shape to a number on its public circuit and those on fresh ones."""
Row = dict[str, Any]


def main() -> None:
    """Print every table."""
    rows: list[Row] = json.loads(Path(sys.argv[1]).read_text())
    names = [
        n for n in rows[0]["methods"] if all("skill" in r["methods"][n] for r in rows)
    ]
    print(f"{len(names)} methods, {len(rows)} circuits\n")
    spread(rows, names)
    for measure in ("overlap", "skill"):
        false_alarms(rows, names, measure)
    power(rows, names)


def shape_of(row: Row) -> Shape:
    """Return a circuit's shape."""
    return Shape(row["architecture"], row["blocks"], row["redundant"])


def values(rows: list[Row], number: Callable[[Row], float]) -> Values:
    """Sort a number of each circuit by shape."""
    found: Values = {}
    for row in rows:
        if row["public"]:
            found[shape_of(row)] = (number(row), [])
    for row in rows:
        if not row["public"]:
            found[shape_of(row)][1].append(number(row))
    return found


def of_method(name: str, measure: str) -> Callable[[Row], float]:
    """Return the mean of both profiles; what is undefined finds nothing."""
    worst = 0.0 if measure == "overlap" else -1.0

    def number(row: Row) -> float:
        pair = row["methods"][name][measure]
        return float(np.mean([worst if v is None else v for v in pair]))

    return number


def spread(rows: list[Row], names: list[str]) -> None:
    """Print how methods do on public and on fresh circuits."""
    print(
        "method                          overlap: public  fresh  sd    "
        "skill: public  fresh  sd"
    )
    for name in names:
        line = f"{name:32}"
        for measure in ("overlap", "skill"):
            found = values(rows, of_method(name, measure)).values()
            public = np.mean([p for p, _ in found])
            fresh = np.mean([f for _, f in found])
            sd = np.mean([np.std(f, ddof=1) for _, f in found])
            line += f"         {public:5.2f}  {fresh:5.2f}  {sd:4.2f}"
        print(line)
    print()


def refusals(
    found: Values, *, each: int, level: float, allowed: float, own: bool
) -> float:
    """Return how often the gate refuses, over draws of fresh circuits.

    Args:
        found: The numbers.
        each: Fresh circuits of each shape.
        level: Of the test.
        allowed: The drop that is not held against a method.
        own: Whether the public circuits are the repository's, or drawn as well.
    """
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(DRAWS):
        strata = {}
        for shape, (public, fresh) in found.items():
            drawn = rng.permutation(fresh)[: each + 1].tolist()
            strata[shape] = ([public] if own else drawn[:1], drawn[1:])
        drop, p = permutation_test(strata)
        refused += p <= level and drop > allowed
    return refused / DRAWS


def false_alarms(rows: list[Row], names: list[str], measure: str) -> None:
    """Print how often honest methods are refused."""
    print(f"false alarms, by {measure}: mean over methods (worst method)")
    for own in (True, False):
        for allowed in MARGINS:
            for level in LEVELS:
                whose = "public" if own else "drawn"
                line = f"  {whose:6} allowed {allowed:4.2f} level {level}"
                for each in EACH:
                    rates = {
                        name: refusals(
                            values(rows, of_method(name, measure)),
                            each=each,
                            level=level,
                            allowed=allowed,
                            own=own,
                        )
                        for name in names
                    }
                    worst = max(rates, key=lambda name: rates[name])
                    line += (
                        f"   n={each}: {np.mean(list(rates.values())):.3f} "
                        f"({rates[worst]:.2f} {worst})"
                    )
                print(line)
    print()


def power(rows: list[Row], names: list[str]) -> None:
    """Print how often methods that know the public circuits are refused."""
    print(
        "refused, of methods that know the public circuits and else fall back on "
        "another,\nby allowed drop; ten fresh circuits of a shape, level 0.01"
    )
    fallbacks: list[tuple[str, Callable[[Row], float]]] = [("a constant", of_constant)]
    fallbacks += [(name, of_method(name, "overlap")) for name in names]
    table = []
    for name, number in fallbacks:
        honest = values(rows, number)
        found = {s: (max(STORED, p), fresh) for s, (p, fresh) in honest.items()}
        fresh = float(np.mean([f for _, f in honest.values()]))
        rates = [
            refusals(found, each=10, level=0.01, allowed=allowed, own=True)
            for allowed in MARGINS
        ]
        skill = np.nan
        if name in names:
            skills = values(rows, of_method(name, "skill")).values()
            skill = float(np.mean([f for _, f in skills]))
        table.append((fresh, skill, name, rates))
    margins = "  ".join(f"{margin:4.2f}" for margin in MARGINS)
    print(f"  {'fallback':32} overlap  skill   {margins}")
    for fresh, skill, name, rates in sorted(table):
        print(
            f"  {name:32} {fresh:7.2f} {skill:6.2f}   "
            + "  ".join(f"{r:.2f}" for r in rates)
        )


def of_constant(row: Row) -> float:
    """Return what a constant finds of a circuit."""
    recipe = PlantedRecipe(seed=row["seed"], redundant=row["redundant"])
    truth = draw_placement(recipe, blocks=row["blocks"]).truth(2 * row["blocks"])
    found = [overlap(constant(len(t)), t).value or 0.0 for t in truth.values()]
    return float(np.mean(found))


if __name__ == "__main__":
    main()
