"""What a reference measurement found, as plain arrays with names.

Shapes: P prompts, N = S + 1 residual points, S sections, E strengths.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from bench.perturbation.readout import READOUTS
from bench.perturbation.regime import Regime
from bench.perturbation.stages import Arrays
from bench.profiles.promptwise import PromptwiseReference, composition


def read(
    response: Arrays, field: str, prompts: str, readout: str
) -> Float[np.ndarray, "P D"]:
    """Return one readout of one field of a response, prompt by prompt."""
    return response[f"{prompts}_{field}"][:, READOUTS.index(readout)]


def excess(
    response: Arrays, field: str, readout: str = "copy"
) -> Float[np.ndarray, "P D"]:
    """Return a readout in excess of control pairs and of control prompts."""
    on_repeated, on_control = (
        read(response, field, prompts, readout)
        - read(response, field, prompts, "control")
        for prompts in ("repeated", "control")
    )
    return on_repeated - on_control


def copy_ratio(response: Arrays, control: tuple[str, str]) -> float:
    """Divide the copy-site response by a control's, at the largest signature.

    Args:
        response: See ``stages.full_response``.
        control: Prompts and readout to compare with.

    Returns:
        The ratio; NaN where the control does not respond.
    """
    point = peak(response)
    copy, other = (
        read(response, "relative", prompts, readout)[:, point].mean()
        for prompts, readout in (("repeated", "copy"), control)
    )
    return float(copy / other) if other > 0 else float("nan")


def peak(response: Arrays) -> int:
    """Return the residual point of the largest signature."""
    return int(excess(response, "relative").mean(axis=0).argmax())


@dataclass(frozen=True)
class Measurement:
    """The stages' arrays and everything that follows from them.

    Attributes:
        strengths: Strengths of the sweep, shape [E].
        sweep: Mean copy-site response at each strength, shape [E, N].
        exact: The same in the limit of strength 0, shape [N].
        regime: The universal regime found in the sweep.
        from_exact: Whether the response below is the exact linear one.
        behaviour: See ``stages.plain_behaviour``.
        response: See ``stages.full_response``.
        mean_ablation: See ``stages.ablated_signatures``; writes replaced by their mean.
        resample_ablation: The same with writes from another prompt, averaged over
            draws.
    """

    strengths: Float[np.ndarray, " E"]
    sweep: Float[np.ndarray, "E N"]
    exact: Float[np.ndarray, " N"]
    regime: Regime
    from_exact: bool
    behaviour: Arrays
    response: Arrays
    mean_ablation: Arrays
    resample_ablation: Arrays

    def read(self, field: str, prompts: str, readout: str) -> Float[np.ndarray, "P D"]:
        """Return one readout of one field, prompt by prompt.

        Args:
            field: ``relative``, ``raw``, ``gain`` or ``additive``.
            prompts: ``repeated`` or ``control``.
            readout: One of ``readout.READOUTS``.
        """
        return read(self.response, field, prompts, readout)

    def excess(self, field: str, readout: str = "copy") -> Float[np.ndarray, "P D"]:
        """Return a readout in excess of control pairs and of control prompts."""
        return excess(self.response, field, readout)

    @cached_property
    def signature(self) -> Float[np.ndarray, "P N"]:
        """Induction signature at every residual point."""
        return self.excess("relative")

    @cached_property
    def gain(self) -> Float[np.ndarray, "P S"]:
        """Gain of every section, the emergence profile of each prompt."""
        return self.excess("gain")

    @cached_property
    def increment(self) -> Float[np.ndarray, "P S"]:
        """Increment of the signature over every section."""
        return np.diff(self.signature, axis=1)

    @cached_property
    def dilution(self) -> Float[np.ndarray, "P S"]:
        """What the residual's own growth takes away: gain minus increment."""
        return self.gain - self.increment

    @cached_property
    def additive_share(self) -> Float[np.ndarray, " S"]:
        """Share of the final signature that lies along each section's write.

        ``<dw_s, dx_S> / |dx_S|^2`` averaged with the final relative response as weight,
        so that the shares of all sections sum to 1.
        """
        return self.excess("additive").mean(axis=0) / self.signature[:, -1].mean()

    @cached_property
    def promptwise(self) -> PromptwiseReference:
        """What scoring needs."""
        return PromptwiseReference(
            gain=self.gain,
            signature=self.signature[:, -1],
            ablated=self.mean_ablation["signature"],
        )

    @cached_property
    def composition_mean(self) -> Float[np.ndarray, " S"]:
        """Composition with writes replaced by their mean, not clipped."""
        return composition(self.signature[:, -1], self.mean_ablation["signature"])

    @cached_property
    def composition_resample(self) -> Float[np.ndarray, " S"]:
        """Composition with writes from another prompt, mean over draws, not clipped."""
        return composition(self.signature[:, -1], self.resample_ablation["signature"])

    @cached_property
    def logit_drop(self) -> Float[np.ndarray, " S"]:
        """Drop of the correct token's centred logit under resampling, in nats.

        The mean over draws. The independent check of composition: another
        intervention, another readout.
        """
        clean = self.behaviour["logit"].mean()
        return clean - self.resample_ablation["logit"].mean(axis=0)
