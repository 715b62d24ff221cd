import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from xpress.models.face_autoencoder.losses import LossWeights
from xpress.models.face_autoencoder.metrics import nme51
from xpress.models.face_autoencoder.module import FaceAutoencoder
from xpress.morphable.blendshapes import TAUGHT_SHAPES

TINY = {"width": 0.25, "size": 64, "head_channels": (32, 8)}
FULL = LossWeights(photometric=2.0)


def module(**changes):
    torch.manual_seed(0)
    return FaceAutoencoder(**{**TINY, **changes})


def error(network, batch):
    network.eval()
    with torch.no_grad():
        points = network.landmarks(network(batch.image))[:, :68]
    network.train()
    return nme51(points, batch.landmarks68).mean().item()


def trained(network, batch, steps, rate=3e-3):
    optimizer = torch.optim.AdamW(network.encoder.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        network.total(network.loss_terms(batch)).backward()
        optimizer.step()
    return network


def test_landmarks_are_those_of_the_projected_mesh(faces):
    points = module().landmarks(faces.parameters)
    torch.testing.assert_close(points[:, :68], faces.landmarks68, atol=1e-3, rtol=0)
    torch.testing.assert_close(points[:, 68:], faces.contours, atol=1e-3, rtol=0)


def test_some_steps_on_eight_faces_learn_them(faces):
    torch.manual_seed(0)
    network = module()
    before = error(network, faces)
    trained(network, faces, 25)
    network.encoder.train()
    with torch.no_grad():  # batch statistics: running ones need more steps than these
        points = network.landmarks(network(faces.image))[:, :68]
    after = nme51(points, faces.landmarks68).mean().item()
    assert after < 0.45 * before


def test_frozen_stages_stay_as_they_are(faces):
    network = module(frozen_stages=2)
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    network.train()
    network.on_train_epoch_start()
    trained(network, faces, 2)
    changed = {
        name
        for name, value in network.encoder.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert not [name for name in changed if name.startswith(("stem.", "stages.0.", "stages.1."))]
    assert [name for name in changed if name.startswith("stages.2.")]


def test_a_teachers_scores_are_learned(faces):
    generator = torch.Generator().manual_seed(3)
    scores = torch.rand(8, len(TAUGHT_SHAPES), generator=generator)
    scored = faces.replace(scores=scores)
    weights = LossWeights(0.0, 0.0, 0.0, 5.0, 0.0, skin=0.0)
    network = module(weights=weights)
    before = network.loss_terms(scored)["teacher"]
    trained(network, scored, 15)
    assert network.loss_terms(scored)["teacher"] < 0.8 * before
    unknown = scores.clone()
    unknown[:, 0] = torch.nan
    assert network.loss_terms(faces.replace(scores=unknown))["teacher"] == 0


@pytest.mark.parametrize("skin", [0.0, 5.0])
def test_in_the_geometry_stage_only_the_skin_tells_colour(faces, layout, skin: float):
    network = module(weights=LossWeights(skin=skin))
    terms = network.loss_terms(faces)
    assert "photometric" not in terms
    network.total(terms).backward()
    first = layout.identity + layout.expression
    color = network.encoder.head.bias.grad[first : first + layout.color + 27]
    assert (color.abs().max() > 1e-6) == (skin > 0)
    assert network.encoder.head.bias.grad[:first].abs().sum() > 0


def test_full_stage_reaches_colour_and_light(faces, layout):
    network = module(weights=FULL)
    terms = network.loss_terms(faces)
    assert terms["photometric"] > 0
    terms["photometric"].backward()
    parts = network.encoder.head.bias.grad.split(layout.lengths)
    for part in parts[:-1]:
        assert part.isfinite().all()
        assert part.abs().sum() > 0


def test_exact_and_grey_rows_are_not_rendered(faces):
    no = torch.zeros(8, dtype=torch.bool)
    for changes in ({"exact": ~no}, {"color": no}, {"present": no}):
        network = module(weights=FULL)
        term = network.loss_terms(faces.replace(**changes))["photometric"]
        assert term.item() == 0


def test_exact_rows_teach_colour_and_light(faces):
    network = module()
    yes = torch.ones(8, dtype=torch.bool)
    terms = network.loss_terms(faces.replace(exact=yes))
    expected = faces.parameters.color.square().mean()  # a new encoder's colour is zero
    torch.testing.assert_close(terms["color"], expected)
    assert terms["illumination"] > 0


def test_a_batch_that_misses_every_face_teaches_presence_alone(faces):
    no = torch.zeros(8, dtype=torch.bool)
    empty = faces.replace(
        present=no,
        has_landmarks=no,
        has_contours=no,
        has_parameters=no,
        landmarks68=torch.zeros(8, 68, 2),
        contours=torch.zeros(8, 138, 2),
    )
    network = module(weights=FULL)
    terms = network.loss_terms(empty)
    assert {name for name, value in terms.items() if value != 0} == {"presence"}
    network.total(terms).backward()
    gradient = network.encoder.head.bias.grad
    assert gradient.isfinite().all()
    assert gradient[:-1].eq(0).all()
    assert gradient[-1] > 0


def test_total_is_the_weighted_sum(faces):
    network = module(weights=lambda: LossWeights(landmarks=2.0, presence=3.0))
    terms = {"landmarks": torch.tensor(0.5), "presence": torch.tensor(0.25)}
    assert network.total(terms).item() == 1.75


def test_photometric_figures_of_the_truth(faces):
    network = module(weights=FULL)
    with torch.no_grad():
        figures = network.photometric_error(faces.parameters, faces)
    assert figures.shape[0] == 8
    assert figures[:, 0].max() < 0.02  # RMS: only clipping differs
    assert figures[:, 1].min() > 0.8


def test_photometric_stage_improves_the_picture(faces):
    network = module(weights=FULL)

    def rms():
        network.encoder.train()
        with torch.no_grad():
            return network.photometric_error(network(faces.image), faces)[:, 0].mean()

    before = rms()
    trained(network, faces, 12)
    assert rms() < 0.9 * before


def test_the_face_model_is_not_in_the_state():
    assert {name.split(".")[0] for name in module().state_dict()} == {"encoder"}


def test_what_cannot_be_loaded_is_told(tmp_path):
    with pytest.raises(Exception, match=r"none\.ckpt"):
        module(init_from=str(tmp_path / "none.ckpt"))


@pytest.mark.slow
def test_trainer_saves_what_loads_with_weights_only(faces, tmp_path):
    loader = DataLoader([faces], batch_size=None)
    network = module()
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
        limit_val_batches=1,
    )
    trainer.fit(network, loader, loader)
    assert trainer.callback_metrics["val/loss"] > 0
    assert "val/0/nme51" in trainer.callback_metrics
    path = tmp_path / "last.ckpt"
    trainer.save_checkpoint(path)
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["hyper_parameters"]["width"] == TINY["width"]
    again = FaceAutoencoder.load_from_checkpoint(path, weights_only=True)
    network.eval(), again.eval()
    with torch.no_grad():
        first, second = network(faces.image), again(faces.image)
    assert torch.equal(first.expression, second.expression)
    started = module(init_from=str(path)).eval()
    with torch.no_grad():
        assert torch.equal(started(faces.image).scale, first.scale)

    resumed = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
    )
    # one more epoch than planned at first, which the schedule has to follow
    resumed.fit(module(), loader, loader, ckpt_path=path, weights_only=True)
    assert resumed.current_epoch == 3
    assert resumed.global_step == 3
    assert resumed.lr_scheduler_configs[0].scheduler.total_steps == 3
