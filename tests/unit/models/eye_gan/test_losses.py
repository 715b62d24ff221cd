import torch

from xpress.models.eye_gan.losses import total_variation


def test_total_variation_of_a_ramp_is_its_slope():
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    flow = torch.stack([2 * columns, -0.5 * rows])[None]
    # Each channel varies along one of the axes only.
    torch.testing.assert_close(total_variation(flow), torch.tensor((2 + 0) / 2 + (0 + 0.5) / 2))
    assert total_variation(torch.full((1, 2, 5, 5), 3.0)) == 0
