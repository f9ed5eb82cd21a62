"""Comparison with another library's numbers."""

import numpy as np
from torch import Tensor


def assert_equal(found: np.ndarray | None, expected: Tensor) -> None:
    """Compare to one part in ten thousand of the largest, which is not small."""
    wanted = expected.detach().double().numpy()
    largest = np.abs(wanted).max()
    assert found is not None
    assert found.shape == wanted.shape
    assert np.median(np.abs(wanted)) > 1e-3
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * largest)
