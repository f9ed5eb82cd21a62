# /// script
# dependencies = ["captum>=0.7,<0.10"]
# ///
"""Layer conductance as captum computes it."""

from bench.adapters.captum import from_captum

conductance = from_captum(
    "captum-conductance", "LayerConductance", kind="state", n_steps=20
)
