import numpy as np
import pytest
import torch

from illures.math.namespace import array_namespace


@pytest.mark.skipif(not hasattr(np, "astype"), reason="NumPy before 2.1 needs the names of array-api-compat")
def test_numpy_itself_works_on_its_arrays():
    assert array_namespace(np.ones(3), np.float32(1)) is np


def test_numpy_and_torch_give_the_same_by_the_same_names():
    for array in (np.linspace(-1, 2, 7, dtype=np.float32), torch.linspace(-1, 2, 7)):
        xp = array_namespace(array)
        found = xp.concat([xp.clip(array, min=0.5), xp.asarray([xp.atan2(array, array)[-1]])])
        np.testing.assert_allclose(np.asarray(found), [0.5, 0.5, 0.5, 0.5, 1, 1.5, 2, np.pi / 4], rtol=0, atol=1e-6)


def test_arrays_of_several_kinds_are_refused():
    with pytest.raises(TypeError):
        array_namespace(np.ones(3), torch.ones(3))
