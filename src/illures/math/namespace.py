"""The namespace of functions for an array: NumPy's own, or PyTorch's under the names of the array API standard."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np

# Since 2.1 NumPy follows the standard. Its counterpart in array-api-compat takes 0.1 s to import.
_STANDARD = hasattr(np, "astype")


def array_namespace(*arrays: Any) -> Any:
    """As `array_api_compat.array_namespace`, but NumPy itself for its own arrays.

    Raises:
        TypeError: the arrays are of several kinds, or of one that is not known.
    """
    if _STANDARD and all(isinstance(array, np.ndarray | np.generic) for array in arrays):
        return np
    return array_api_compat.array_namespace(*arrays)
