import pytest
import torch

from xpress.morphable.quantization import dequantize, quantize


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16])
def test_error_is_half_a_step_of_the_vector_at_most(dtype):
    basis = torch.randn(5, 30, 3, generator=torch.Generator().manual_seed(0))
    basis *= torch.tensor([1e-3, 0.1, 1, 10, 1000])[:, None, None]
    values, scale = quantize(basis, dtype)
    assert values.dtype == dtype
    error = (dequantize(values, scale) - basis).abs().amax((1, 2))
    largest = basis.abs().amax((1, 2))
    step = largest / torch.iinfo(dtype).max
    assert (error <= step * 0.5 + largest * 1e-6).all()
    assert values.abs().amax((1, 2)).eq(torch.iinfo(dtype).max).all()


def test_nothing_stays_nothing():
    values, scale = quantize(torch.zeros(2, 4, 3), torch.int8)
    assert dequantize(values, scale).eq(0).all()
    values, scale = quantize(torch.zeros(0, 4, 3), torch.int8)
    assert dequantize(values, scale).shape == (0, 4, 3)
