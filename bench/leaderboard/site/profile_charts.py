"""Charts of profiles and references, as Vega-Lite specifications made by Altair.

Shapes: S sections.
"""
# pyright: basic, reportUnknownMemberType=false

from collections.abc import Mapping, Sequence
from functools import cache

import altair as alt
import numpy as np
from jaxtyping import Float

from bench.leaderboard.site.charts import Spec
from bench.profiles.promptwise import PROFILES
from bench.profiles.sections import section_names
from bench.results.reference_record import Reference, ReferenceRecord
from bench.scores.shares import has_shares, shares

Values = Float[np.ndarray, " S"]

REFERENCE, METHOD = "#999999", "#d55e00"
DIGITS = 4
SHOWN_POINTS = 5


def overlay(reference: Reference, values: Values) -> Spec:
    """Draw a method's shares over those of both profiles."""
    names = section_names(reference.promptwise.n_sections // 2)
    answered = shares(values) if has_shares(values) else np.zeros(len(values))
    data = [
        {
            "section": name,
            "profile": profile,
            "reference": _round(expected),
            "method": _round(found),
        }
        for profile in PROFILES
        for name, expected, found in zip(
            names, shares(reference.promptwise.profile(profile)), answered, strict=True
        )
    ]
    return _with_values(_overlay_without_values(names), data)


@cache
def _overlay_without_values(names: tuple[str, ...]) -> Spec:
    """Altair checks a chart for milliseconds; one serves all methods on a task."""
    return _bars_and_points(names, title="method").to_dict()


def _with_values(spec: Spec, data: Sequence[Mapping[str, object]]) -> Spec:
    return {**spec, "data": {"values": list(data)}}


def overlays(reference: Reference, methods: Mapping[str, Values]) -> Spec:
    """Draw the reference with the shares of one of many methods, to be chosen.

    Every method must have shares: the bars stand in the rows of the chosen one.
    """
    names = section_names(reference.promptwise.n_sections // 2)
    chosen = alt.param(
        name="chosen",
        value=next(iter(methods)),
        bind=alt.binding_select(
            options=list(methods), name="Method ", element="#choice-overlay"
        ),
    )
    found = {
        name: [_round(x) for x in shares(values)] for name, values in methods.items()
    }
    data = [
        {
            "section": section,
            "profile": profile,
            "reference": _round(expected),
            "method": method,
            "share": values[index],
        }
        for profile in PROFILES
        for index, (section, expected) in enumerate(
            zip(names, shares(reference.promptwise.profile(profile)), strict=True)
        )
        for method, values in found.items()
    ]
    chart = _bars_and_points(names, title="share", value="share")
    kept = chart.transform_filter("datum.method === chosen").add_params(chosen)
    return _with_values(kept.to_dict(), data)


def _bars_and_points(
    names: Sequence[str], *, title: str, value: str = "method"
) -> alt.FacetChart:
    base = alt.Chart().encode(
        x=_sections("section", names),
        tooltip=[
            "section:N",
            alt.Tooltip("reference:Q", format=".3f"),
            alt.Tooltip(f"{value}:Q", format=".3f", title=title),
        ],
    )
    bars = base.mark_bar(color=REFERENCE).encode(y=alt.Y("reference:Q", title="share"))
    points = base.mark_point(color=METHOD, filled=True, size=45, opacity=1).encode(
        y=f"{value}:Q"
    )
    # the least width: rows cannot follow their place, charts.js makes them wider
    layered = alt.layer(bars, points).properties(width=14 * len(names), height=150)
    above = alt.Header(labelOrient="top", labelAnchor="start")
    return layered.facet(
        row=alt.Row("profile:N", title=None, sort=list(PROFILES), header=above),
        data=alt.Data(values=[]),
    )


def strength_curve(record: ReferenceRecord) -> Spec:
    """Draw the response against strength, with the universal regime."""
    regime = record.regime
    last = len(regime.responses[0]) - 1
    points = np.unique(np.linspace(1, last, SHOWN_POINTS).astype(int)).tolist()
    names = section_names(last // 2)
    data = [
        {
            "strength": strength,
            "response": _round(row[point]),
            "after": names[point - 1],
        }
        for strength, row in zip(regime.strengths, regime.responses, strict=True)
        for point in points
    ]
    window = alt.Chart(
        alt.Data(values=[{"from": regime.lowest, "to": regime.highest}])
    ).mark_rect(opacity=0.15, color="#009e73")
    powers = alt.Axis(tickCount=5, format="~e")
    scale = alt.Scale(type="log")
    x = alt.X("strength:Q", scale=scale, axis=powers, title="strength")
    lines = (
        alt.Chart(alt.Data(values=data))
        .mark_line(point=True)
        .encode(
            x=x,
            y=alt.Y("response:Q", title="copy-site response"),
            color=alt.Color("after:N", title="residual after", sort=list(names)),
            tooltip=["after:N", "strength:Q", "response:Q"],
        )
    )
    regime_band = window.encode(x=alt.X("from:Q"), x2="to:Q")
    return _wide(alt.layer(regime_band, lines))


def signature_curve(record: ReferenceRecord) -> Spec:
    """Draw the signature by depth with its band."""
    names = ("embeddings", *section_names((len(record.signature.mean) - 1) // 2))
    band = record.signature
    data = [
        {
            "after": name,
            "signature": _round(mean),
            "low": _round(low),
            "high": _round(up),
        }
        for name, mean, low, up in zip(
            names, band.mean, band.lower, band.upper, strict=True
        )
    ]
    base = alt.Chart(alt.Data(values=data)).encode(x=_sections("after", names))
    area = base.mark_area(opacity=0.25).encode(
        y=alt.Y("low:Q", title="signature"), y2="high:Q"
    )
    line = base.mark_line(point=True).encode(
        y="signature:Q", tooltip=["after:N", "signature:Q"]
    )
    return _wide(alt.layer(area, line))


def _sections(field: str, names: Sequence[str]) -> alt.X:
    upright = alt.Axis(labelAngle=-90)
    return alt.X(f"{field}:N", sort=list(names), title=None, axis=upright)


def _wide(chart: alt.LayerChart | alt.FacetChart) -> Spec:
    return chart.properties(width="container", height=240).to_dict()


def _round(value: float) -> float:
    return round(float(value), DIGITS)
