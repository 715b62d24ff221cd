from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from xpress.callbacks.averaged_weights import AveragedWeights


class Model(pl.LightningModule):
    def __init__(self, manual: bool) -> None:
        super().__init__()
        self.automatic_optimization = not manual
        self.layer = torch.nn.Linear(2, 1)
        self.register_buffer("constant", torch.rand(1000) / 3, persistent=False)
        self.history: list = []

    def training_step(self, batch, batch_idx):
        loss = self.layer(batch).square().mean()
        if self.automatic_optimization:
            return loss
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            self.manual_backward(self.layer(batch).square().mean())
            optimizer.step()
        return None

    def on_train_batch_end(self, *_):
        self.history.append(self.layer.weight.detach().clone())

    def configure_optimizers(self):
        count = 1 if self.automatic_optimization else 2
        return [torch.optim.SGD(self.parameters(), 0.1) for _ in range(count)]


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.parametrize("manual", [False, True])
def test_weights_are_averaged_and_constants_kept(manual: bool):
    model = Model(manual)
    constant, first = model.constant.clone(), model.layer.weight.detach().clone()
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        callbacks=[AveragedWeights(decay=0.9)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, DataLoader(torch.randn(16, 2), 2))
    assert torch.equal(model.constant, constant)
    # the first update copies, the others move a tenth of the way
    expected = model.history[0]
    for weight in model.history[1:]:
        expected = 0.9 * expected + 0.1 * weight
    torch.testing.assert_close(model.layer.weight.detach(), expected)
    assert not torch.equal(expected, first)
