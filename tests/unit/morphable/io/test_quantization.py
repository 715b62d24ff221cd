import numpy as np
import pytest

from xpress.morphable.io.quantization import dequantize, quantize


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_error_is_half_a_step_of_the_vector_at_most(dtype):
    basis = np.random.default_rng(0).standard_normal((5, 30, 3), np.float32)
    basis *= np.array([1e-3, 0.1, 1, 10, 1000], np.float32)[:, None, None]
    values, scale = quantize(basis, dtype)
    assert values.dtype == dtype
    restored = dequantize(values, scale)
    assert restored.dtype == np.float32
    error = np.abs(restored - basis).max((1, 2))
    largest = np.abs(basis).max((1, 2))
    step = largest / np.iinfo(dtype).max
    assert (error <= step * 0.5 + largest * 1e-6).all()
    assert (np.abs(values).max((1, 2)) == np.iinfo(dtype).max).all()


def test_nothing_stays_nothing():
    values, scale = quantize(np.zeros((2, 4, 3), np.float32), np.int8)
    assert (dequantize(values, scale) == 0).all()
    values, scale = quantize(np.zeros((0, 4, 3), np.float32), np.int8)
    assert dequantize(values, scale).shape == (0, 4, 3)
