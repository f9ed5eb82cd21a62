"""The built-in methods by name, readable without torch."""

from dataclasses import dataclass

from bench.profiles.attribution import Kind


@dataclass(frozen=True)
class Entry:
    """Where a built-in method is and what to say of it."""

    name: str
    kind: Kind
    place: str
    """``module:attribute``."""
    cost: str
    summary: str


BUILT_IN: tuple[Entry, ...] = (
    Entry(
        "activation-patching-denoising",
        "state",
        "bench.methods.activation_patching:denoising",
        "S + 2 F",
        "Restore the clean residual at the copy sites of the corrupt run.",
    ),
    Entry(
        "activation-patching-noising",
        "state",
        "bench.methods.activation_patching:noising",
        "S + 2 F",
        "Put the corrupt residual into the copy sites of the clean run.",
    ),
    Entry(
        "attribution-patching",
        "write",
        "bench.methods.attribution_patching:attribution_patching",
        "2 F + 1 B",
        "Multiply the change of each write by the behaviour's gradient.",
    ),
    Entry(
        "direct-logit-attribution",
        "write",
        "bench.methods.direct_logit_attribution:direct_logit_attribution",
        "1 F",
        "Project each write onto the target's direction in logit space.",
    ),
    Entry(
        "eap-ig",
        "write",
        "bench.methods.eap_ig:eap_ig",
        "2 F + 8 (F + B)",
        "Multiply the change of each write by the mean gradient along a path.",
    ),
    Entry(
        "mean-ablation",
        "write",
        "bench.methods.mean_ablation:mean_ablation",
        "S + 2 F",
        "Measure the drop of the behaviour with each write replaced by its mean.",
    ),
    Entry(
        "prefix-matching-score",
        "write",
        "bench.methods.prefix_matching:prefix_matching_score",
        "1 F",
        "Read the attention from copy sites to sources.",
    ),
)


def built_in() -> dict[str, Entry]:
    """Map the names of the built-in methods to their entries."""
    return {entry.name: entry for entry in BUILT_IN}
