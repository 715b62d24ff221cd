"""Training of the face autoencoder (Lightning)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from kornia.metrics import ssim
from pydantic import NonNegativeInt, PositiveFloat
from torch import Tensor

from xpress.batches import FaceBatch
from xpress.errors import InputError
from xpress.models.face_autoencoder import losses
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.decoder import FaceDecoder, inner_face_mask
from xpress.models.face_autoencoder.losses import LossWeights, mean_of
from xpress.models.face_autoencoder.metrics import figure_table, gaze_metrics, landmark_metrics
from xpress.models.face_autoencoder.networks import FaceEncoder
from xpress.models.face_autoencoder.pictures import picture_grid
from xpress.models.face_autoencoder.skin import SkinModel, skin_loss
from xpress.models.face_autoencoder.weights import load_encoder_weights
from xpress.models.gather import mean_count, without_repeats
from xpress.models.set_figures import SetFigures
from xpress.morphable.blendshapes import TAUGHT_SHAPES
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.landmarks.landmark_weights import loss_weights
from xpress.morphable.model import MorphableModel
from xpress.rendering.camera import project
from xpress.rendering.renderer import Rendering
from xpress.structures import FaceParameters


class FaceAutoencoder(SetFigures):
    """Encoder from crops to face parameters, trained through landmarks and rendering.

    With `weights.photometric` zero only the landmarks' vertices and some of the skin are evaluated
    (the geometry stage); otherwise faces are rendered and compared with the picture (the full
    stage).

    Args:
        morphable: file of the face model; None takes the package's.
        width: channel multiplier of the encoder.
        size: pixels of the crop's side.
        head_channels: see `FaceEncoder`.
        dropout: see `FaceEncoder`.
        gaze_channels: see `FaceEncoder`.
        weights: of the losses, or what makes them.
        rasterizer: backend for the full stage and the pictures.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of AdamW.
        render_rows: rows of a batch that are rendered in the full stage; the rest train geometry.
        color_only: train the outputs of colour and illumination alone, everything else frozen;
            the colour stage.
        gaze_only: train the head that reads where the eyes look alone; the gaze stage.
        frozen_stages: of the encoder that keep their weights, from the first on, and the stem with
            them; the large maps are theirs, so that going on from trained weights is twice as fast.
        init_from: a checkpoint or safetensors whose encoder weights to start from.
    """

    def __init__(
        self,
        morphable: str | None = None,
        width: PositiveFloat = 0.5,
        size: int = 128,
        head_channels: Sequence[int] = (64, 16),
        dropout: float = 0.0,
        gaze_channels: NonNegativeInt = 16,
        weights: LossWeights | Callable[[], LossWeights] = LossWeights,
        rasterizer: str = "auto",
        learning_rate: PositiveFloat = 2e-3,
        weight_decay: float = 1e-3,
        render_rows: int = 48,
        color_only: bool = False,
        gaze_only: bool = False,
        frozen_stages: NonNegativeInt = 0,
        init_from: str | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["weights"])
        model = MorphableModel.load(morphable) if morphable else MorphableModel.default()
        self.layout = CodeLayout.of(model.sizes, model.expression_names, size)
        deep, fine = head_channels
        heads = (deep, fine), dropout, self.layout.gaze_outputs, gaze_channels
        self.encoder = FaceEncoder(self.layout.outputs, width, size, *heads)
        self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.landmark_model = LandmarkModel.of(model)
        self.skin = SkinModel(model)
        # Held in a list: an asset is neither averaged, checkpointed nor sent between processes.
        self._decoder = [FaceDecoder(model, rasterizer)]
        names = model.expression_names
        both = [(names.index(n), i) for i, n in enumerate(TAUGHT_SHAPES) if n in names]
        self.taught, self.taught_scores = [a for a, _ in both], [b for _, b in both]
        self.weights = weights if isinstance(weights, LossWeights) else weights()
        trust = torch.from_numpy(loss_weights())
        self.register_buffer("landmark_weights", trust, persistent=False)
        self.register_buffer("inner_face", inner_face_mask(model), persistent=False)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.render_rows, self.color_only, self.gaze_only = render_rows, color_only, gaze_only
        if color_only:
            self.encoder.requires_grad_(False)
            self.encoder.head.requires_grad_(True)
        if gaze_only:
            if self.encoder.gaze is None:
                raise InputError("model.gaze_only=true: needs model.gaze_channels above 0")
            self.encoder.requires_grad_(False)
            self.encoder.gaze.requires_grad_(True)
        self._frozen = [self.encoder.stem, *self.encoder.stages[:frozen_stages]]
        self._frozen = self._frozen if frozen_stages else []
        for part in self._frozen:
            part.requires_grad_(False)
        if init_from:
            load_encoder_weights(self.encoder, init_from)

    landmark_weights: Tensor
    inner_face: Tensor

    @property
    def decoder(self) -> FaceDecoder:
        """Face model and renderer, on this module's device."""
        return self._decoder[0].to(self.device)

    def forward(self, image: Tensor) -> FaceParameters:
        """Parameters of crops (B, 3, size, size), RGB in [0, 1], in pixels of the crop."""
        return self.layout.parameters(self.encoder(image))

    def landmarks(self, parameters: FaceParameters) -> Tensor:
        """The 68 landmarks and the contour points (B, 206, 2), pixels of the crop."""
        points = self.landmark_model.points(parameters.identity, parameters.expression)
        pose = parameters.rotation, parameters.translation, parameters.scale
        return project(points, *pose)[..., :2]

    def on_train_epoch_start(self) -> None:
        """Frozen networks keep their batch statistics too."""
        if self.color_only or self.gaze_only:
            self.encoder.eval()
        if self.gaze_only and self.encoder.gaze is not None:
            self.encoder.gaze.train()
        for part in self._frozen:
            part.eval()

    def loss_terms(self, batch: FaceBatch) -> dict[str, Tensor]:
        """Every active term, not yet weighted."""
        code = self.encoder(batch.image.contiguous(memory_format=torch.channels_last))
        if self.color_only:
            return self._color_terms(code, batch)
        parameters = self.layout.parameters(code)
        points = self.landmarks(parameters)
        seen = batch.has_contours & losses.irises_seen(batch.landmarks68)
        gaze = {"gaze": mean_of(losses.gaze_loss(points[:, 68:], batch.contours), seen)}
        if self.gaze_only:
            return gaze
        known = batch.has_landmarks & batch.present
        target = torch.cat([batch.landmarks68, batch.contours], dim=1)
        labelled = torch.cat(
            [known[:, None].expand(-1, 68), batch.has_contours[:, None].expand(-1, 138)], dim=1
        )
        size = losses.face_size(batch.landmarks68)
        weights = self.landmark_weights * labelled
        terms = gaze | {
            "landmarks": mean_of(losses.landmark_loss(points, target, weights, size), known),
            "signals": mean_of(losses.signal_loss(points[:, :68], batch.landmarks68), known),
            "closure": mean_of(losses.closure_loss(points[:, :68], batch.landmarks68), known),
            "presence": losses.presence_loss(self.layout.presence(code), batch.present),
        }
        terms |= self._parameter_terms(parameters, batch)
        terms |= self._regularization(parameters, batch)
        if batch.scores is not None and self.weights.teacher > 0:
            said = parameters.expression[:, self.taught]
            rows = batch.scores.isfinite().all(1)
            terms["teacher"] = losses.teacher_loss(said, batch.scores[:, self.taught_scores], rows)
        return terms | self._picture_terms(parameters, batch)

    def _picture_terms(self, parameters: FaceParameters, batch: FaceBatch) -> dict[str, Tensor]:
        """Comparisons with the picture's colours."""
        terms = {}
        if self.weights.skin > 0:
            colored = skin_loss(self.skin, parameters, batch.image)
            terms["skin"] = mean_of(colored, batch.present & batch.color)
        if self.weights.photometric > 0:
            terms["photometric"] = self._photometric(parameters, batch)
        return terms

    def _color_terms(self, code: Tensor, batch: FaceBatch) -> dict[str, Tensor]:
        """What colour and illumination are trained by, with the geometry as it is."""
        first = self.layout.identity + self.layout.expression
        learned = slice(first, first + self.layout.color + 27)
        frozen = code.detach().clone()
        frozen[:, learned] = code[:, learned]
        parameters = self.layout.parameters(frozen)
        terms = self._regularization(parameters, batch) | self._exact_color(parameters, batch)
        return terms | self._picture_terms(parameters, batch)

    def _exact_color(self, parameters: FaceParameters, batch: FaceBatch) -> dict[str, Tensor]:
        """Colour and light of rendered faces, whose parameters are known."""
        target, exact = batch.parameters, batch.exact
        if target is None or target.color.shape[1] != parameters.color.shape[1]:
            return {}
        color = (parameters.color - target.color).square().mean(1)
        light = (parameters.illumination - target.illumination).square().mean((1, 2))
        return {"color": mean_of(color, exact), "illumination": mean_of(light, exact)}

    def _parameter_terms(self, parameters: FaceParameters, batch: FaceBatch) -> dict[str, Tensor]:
        target, rows = batch.parameters, batch.has_parameters
        if target is None:
            return {}
        reduced = self.landmark_model
        unit = reduced.eye_distance
        expression = losses.shape_loss(
            parameters.expression, target.expression, reduced.expression_basis
        )
        identity = losses.shape_loss(parameters.identity, target.identity, reduced.identity_basis)
        activations = (parameters.expression - target.expression).abs().mean(1)
        # Squared: a shape that few faces have would be zero everywhere by its median.
        exact = (parameters.expression - target.expression).square().mean(1)
        pose = losses.pose_loss(parameters, target, self.layout.size)
        terms = {
            "expression_shape": mean_of(expression / unit, rows),
            "identity_shape": mean_of(identity / unit, rows),
            "expression": mean_of(activations, rows),
            "exact_expression": mean_of(exact, rows & batch.exact),
            "pose": mean_of(pose, rows),
        }
        return terms | self._exact_color(parameters, batch)

    def _regularization(self, parameters: FaceParameters, batch: FaceBatch) -> dict[str, Tensor]:
        rows = batch.present
        light = parameters.illumination
        # Coloured light is rare: channels are drawn towards their mean.
        tint = (light - light.mean(2, keepdim=True)).square().mean((1, 2))
        return {
            "regularize_identity": mean_of(parameters.identity.square().mean(1), rows),
            "regularize_expression": mean_of(parameters.expression.square().mean(1), rows),
            "regularize_color": mean_of(parameters.color.square().mean(1), rows & batch.color),
            "regularize_illumination": mean_of(tint, rows & batch.color),
        }

    def _photometric(self, parameters: FaceParameters, batch: FaceBatch) -> Tensor:
        rows = (batch.present & batch.color & ~batch.exact).nonzero()[: self.render_rows, 0]
        count = mean_count(torch.tensor(len(rows), device=rows.device))
        if not len(rows):
            return batch.image.sum() * 0
        rendering, mask = self.render_inner_face(parameters[rows])
        return losses.photometric_loss(rendering.image, batch.image[rows], mask).sum() / count

    def render_inner_face(self, parameters: FaceParameters) -> tuple[Rendering, Tensor]:
        """Render crops, and where the front of the face is seen (B, 1, size, size)."""
        size = self.layout.size
        rendering = self.decoder(parameters, (size, size))
        front = self.inner_face[self.decoder.triangles].amin(1) > 0
        index = rendering.fragments.face_index
        seen = (index >= 0) & front[index.clamp_min(0)]
        return rendering, seen[:, None]

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Weighted sum."""
        return torch.stack([getattr(self.weights, n) * v for n, v in terms.items()]).sum()

    def training_step(self, batch: FaceBatch, batch_index: int) -> Tensor:
        """One batch of the data module."""
        terms = self.loss_terms(batch)
        loss = self.total(terms)
        values = {f"train/{name}": value.detach() for name, value in terms.items()}
        self.log_dict(values | {"train/loss": loss.detach()}, batch_size=len(batch))
        return loss

    def picture_grid(self, batch: FaceBatch, rows: int = 8) -> UInt8[np.ndarray, "H W 3"]:
        """What the network sees and makes of it; drawn after every validation.

        Args:
            batch: crops on the module's device.
            rows: at most so many faces that are present.
        """
        chosen = batch.present.nonzero()[:rows, 0]
        with torch.no_grad():
            parameters = self(batch.image[chosen])
            predicted = self.landmarks(parameters)[:, :68]
            rendering = self.decoder(parameters, (self.layout.size, self.layout.size))
        labelled = batch.landmarks68[chosen]
        return picture_grid(batch.image[chosen], labelled, predicted, rendering)

    def validation_step(self, batch: FaceBatch, batch_index: int, dataloader_idx: int = 0) -> None:
        """Canonical crops of one set."""
        if self._trainer is not None:
            batch = without_repeats(batch, self.trainer, batch_index, dataloader_idx)
        parameters = self(batch.image.contiguous(memory_format=torch.channels_last))
        rows = batch.has_landmarks
        predicted = self.landmarks(parameters)[rows]
        labels = torch.cat([batch.landmarks68, batch.contours], dim=1)[rows]
        photometric = self.photometric_error(parameters, batch)
        self.collect(dataloader_idx, predicted, labels, batch.has_contours[rows], photometric)

    def photometric_error(self, parameters: FaceParameters, batch: FaceBatch) -> Tensor:
        """RMS colour error, coverage and structural similarity of each colour row (N, 3).

        Coverage is the share of the landmarks' convex hull that the rendered face fills;
        similarity is SSIM (Wang et al., 2004; 7-pixel window) inside the render.
        """
        rows = (batch.present & batch.color & batch.has_landmarks).nonzero()[:, 0]
        learned = self.weights.photometric > 0 or self.weights.skin > 0
        wanted = learned or self._trainer is None or self.trainer.testing
        if not wanted or not len(rows):
            return batch.image.new_zeros(0, 3)
        rendering, mask = self.render_inner_face(parameters[rows])
        inside = mask.to(batch.image.dtype)
        error = (rendering.image.clamp(0, 1) - batch.image[rows]).square().mean(1, keepdim=True)
        count = inside.sum((1, 2, 3)).clamp_min(1)
        rms = ((error * inside).sum((1, 2, 3)) / count).sqrt()
        hull = _hulls(batch.landmarks68[rows], self.layout.size).to(inside)
        coverage = (hull * inside).sum((1, 2, 3)) / hull.sum((1, 2, 3)).clamp_min(1)
        likeness = ssim(rendering.image.clamp(0, 1), batch.image[rows], 7).mean(1, keepdim=True)
        likeness = (likeness * inside).sum((1, 2, 3)) / count
        return torch.stack([rms, coverage, likeness], dim=1)

    def figures(self, *columns: Tensor) -> dict[str, float]:
        """Of landmarks, irises and colours; see `metrics`."""
        predicted, target, complete, photometric = columns
        figures = landmark_metrics(predicted[:, :68], target[:, :68])
        figures |= gaze_metrics(predicted[complete], target[complete])
        if len(photometric):
            names = ("photometric_rms", "photometric_coverage", "photometric_ssim")
            figures |= dict(zip(names, photometric.mean(0).tolist(), strict=True))
        return figures

    def badness(self, figures: Mapping[str, float], method: str) -> float:
        """Error of the landmarks, and how little of the signals' motion is read."""
        reached = [v for n, v in figures.items() if n.endswith("/correlation")]
        return figures["nme51"] / 3 + 2 * (1 - sum(reached) / len(reached))

    def figure_table(self, metrics: Mapping[str, Tensor], stage: str) -> str:
        """See `metrics.figure_table`."""
        return figure_table(metrics, stage)

    def configure_optimizers(self):
        """AdamW without decay on norms and biases, one cycle over all steps."""
        decay = [p for p in self.encoder.parameters() if p.ndim > 1]
        rest = [p for p in self.encoder.parameters() if p.ndim <= 1]
        groups = [
            {"params": decay, "weight_decay": self.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, total_steps=max(steps, 2), pct_start=0.1
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """The schedule's length is this run's: a resumed run may have more epochs."""
        for state in checkpoint.get("lr_schedulers", []):
            for name in ("total_steps", "_schedule_phases"):
                state.pop(name, None)


def _hulls(landmarks68: Tensor, size: int) -> Tensor:
    """Filled convex hulls (B, 1, size, size) of landmarks in pixels."""
    masks = []
    for points in landmarks68.detach().cpu().numpy():
        mask = np.zeros((size, size), np.uint8)
        cv2.fillConvexPoly(mask, cv2.convexHull(points.round().astype(np.int32)), 1)
        masks.append(torch.from_numpy(mask))
    return torch.stack(masks)[:, None].to(landmarks68.device)
