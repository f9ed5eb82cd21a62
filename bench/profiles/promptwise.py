"""A reference prompt by prompt, from which profiles over any of its prompts follow.

Shapes: P prompts, S sections.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

ProfileName = Literal["emergence", "composition"]
PROFILES: tuple[ProfileName, ...] = get_args(ProfileName)


@dataclass(frozen=True)
class PromptwiseReference:
    """What scoring needs of a reference.

    Attributes:
        gain: How much response each section adds at the copy sites, shape [P, S].
        signature: The final signature of each prompt, shape [P].
        ablated: The same while one section writes its mean, shape [P, S].
    """

    gain: Float[np.ndarray, "P S"]
    signature: Float[np.ndarray, " P"]
    ablated: Float[np.ndarray, "P S"]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "PromptwiseReference":
        """Take it from the arrays that are stored with a reference."""
        return cls(
            gain=arrays["gain"],
            signature=arrays["signature"][:, -1],
            ablated=arrays["ablated_mean"],
        )

    @property
    def n_prompts(self) -> int:
        """Number of prompts."""
        return len(self.signature)

    @property
    def n_sections(self) -> int:
        """Number of sections."""
        return self.gain.shape[1]

    def profile(
        self, name: ProfileName, prompts: Int[np.ndarray, " n"] | None = None
    ) -> Float[np.ndarray, " S"]:
        """Return a profile over all or some of the prompts.

        Args:
            name: ``emergence`` (mean gain) or ``composition`` (share of the final
                signature that is lost, a ratio of means, clipped to [0, 1]).
            prompts: Row numbers, repeats allowed; all prompts by default.
        """
        rows = np.arange(self.n_prompts) if prompts is None else prompts
        return self.profiles(name, rows[None])[0]

    def profiles(
        self, name: ProfileName, prompts: Int[np.ndarray, "B n"]
    ) -> Float[np.ndarray, "B S"]:
        """Return a profile over each of many choices of prompts."""
        if name == "emergence":
            return self.gain[prompts].mean(axis=1)
        lost = composition(self.signature[prompts], self.ablated[prompts])
        return np.clip(lost, 0.0, 1.0)


def composition(
    signature: Float[np.ndarray, "*batch P"], ablated: Float[np.ndarray, "*batch P S"]
) -> Float[np.ndarray, "*batch S"]:
    """Return the share of the mean signature that each ablation takes away."""
    return 1.0 - ablated.mean(axis=-2) / signature.mean(axis=-1, keepdims=True)
