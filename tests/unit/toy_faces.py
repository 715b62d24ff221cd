"""A face model, and a toy world whose faces a detector and an extractor find without networks."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from xpress.extraction.detection import Detection
from xpress.extraction.face_sample import FaceSample
from xpress.morphable.expression_geometry import ExpressionGeometry
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.model import MorphableModel
from xpress.reenactment.reenactor import Reenactor
from xpress.rendering.camera import project


@pytest.fixture(scope="session")
def model() -> MorphableModel:
    return MorphableModel.default()


@pytest.fixture(scope="session")
def landmark_model(model: MorphableModel) -> LandmarkModel:
    return LandmarkModel.of(model)


@pytest.fixture(scope="session")
def geometry(model: MorphableModel, landmark_model: LandmarkModel) -> ExpressionGeometry:
    return ExpressionGeometry(landmark_model, model.expression_names)


class ToyWorld:
    """A face is a disc; its red tells how far the jaw is open, its green how shut the eyes are."""

    side = 160
    radius = 20

    def __init__(self, model: MorphableModel) -> None:
        self.model = model
        self.searches = 0
        self.encoded = 0

    def frame(
        self, *faces: tuple[float, float, float, float], size: tuple[int, int] | None = None
    ) -> np.ndarray:
        """A picture of discs: x, y, jaw, blink."""
        height, width = size or (self.side, self.side)
        image = np.full((height, width, 3), 20, np.uint8)
        rows, columns = np.mgrid[:height, :width]
        for x, y, jaw, blink in faces:
            inside = np.hypot(columns - x, rows - y) <= self.radius
            image[inside] = (round(jaw * 255), round(blink * 255), 250)
        return image

    def _discs(self, image: np.ndarray) -> list[np.ndarray]:
        """Pixels (N, 2) of each disc, from the left."""
        import cv2

        count, labels = cv2.connectedComponents((image[..., 2] > 120).astype(np.uint8))
        discs = [np.argwhere(labels == i)[:, ::-1] for i in range(1, count)]
        discs = [disc for disc in discs if len(disc) > 200]
        return sorted(discs, key=lambda disc: disc[:, 0].mean())

    def detect(self, image: np.ndarray, rotations=(0.0,), thorough=False) -> list[Detection]:
        self.searches += 1
        found = []
        for disc in self._discs(image):
            x, y = disc.mean(0)
            found.append(Detection((float(x), float(y)), float(np.sqrt(len(disc))), 1.0))
        return sorted(found, key=lambda face: -face.side)

    def __call__(self, image: np.ndarray, crop) -> FaceSample:
        """What an extractor would say of the disc that the crop's middle is nearest to."""
        self.encoded += 1
        discs = self._discs(image)
        reach = 0.5 * crop.side
        near = [d for d in discs if np.hypot(*(d.mean(0) - crop.center)) < reach]
        if not near:
            return self.sample(*crop.center, 0, 0, presence=0.1)
        disc = min(near, key=lambda d: np.hypot(*(d.mean(0) - crop.center)))
        x, y = disc.mean(0)
        red, green, _ = image[round(y), round(x)] / 255
        return self.sample(x, y, red, green)

    settled = __call__

    def sample(self, x, y, jaw=0.0, blink=0.0, presence=1.0, roll=0.0, scale=None) -> FaceSample:
        """A frontal mean face centred at a pixel."""
        identity, expressions, colors = self.model.sizes
        expression = np.zeros(expressions)
        for name, value in (("jawOpen", jaw), ("eyeBlink_L", blink), ("eyeBlink_R", blink)):
            expression[self.model.expression_names.index(name)] = value
        light = np.zeros((9, 3))
        light[0] = 3.0
        face = FaceSample(
            identity=np.zeros(identity),
            expression=expression,
            color=np.zeros(colors),
            illumination=light,
            rotation=np.array([0.0, 0.0, -roll]),
            translation=np.array([x, y], float),
            scale=scale or self.radius / 7,
            landmarks68=np.zeros((68, 2)),
            contours=np.zeros((138, 2)),
            presence=presence,
        )
        return self.update(face)

    def update(self, face: FaceSample, **changes) -> FaceSample:
        """Landmarks through torch's camera and the full mesh: slow, and another path than ours."""
        face = face.replace(**changes)
        p = face.parameters.torch()
        mesh = self.model.vertices(p.identity, p.expression)
        points = self.model.landmark_points(project(mesh, p.rotation, p.translation, p.scale))
        points = points[0, :, :2].double().numpy()
        return face.replace(landmarks68=points[:68], contours=points[68:])


class ToyAnimator:
    """Writes the jaw's opening into one row of pixels at the face's height."""

    def __init__(self, model: MorphableModel) -> None:
        self.jaw = model.expression_names.index("jawOpen")
        self.targets = 0

    def set_target(self, image, parameters, opened=None) -> None:
        self.targets += 1
        self.image = image
        x, y = parameters.translation[0].round().astype(int).tolist()
        self.place = (slice(y, y + 4), slice(max(x - 8, 0), x + 8))

    def render(self, expression, head=None) -> np.ndarray:
        self.head = head
        frame = self.image.copy()
        frame[self.place] = (round(float(expression[self.jaw]) * 255), 0, 255)
        return frame

    def twin(self) -> "ToyAnimator":
        return copy.copy(self)


@pytest.fixture
def world(model: MorphableModel) -> ToyWorld:
    return ToyWorld(model)


@pytest.fixture
def reenactor(model: MorphableModel, world: ToyWorld) -> Reenactor:
    """The composition with the toy world's detector, extractor and animator."""
    return Reenactor(model, world, world.detect, lambda: ToyAnimator(model))


@pytest.fixture
def toys() -> SimpleNamespace:
    """The toy classes, for tests that make their own."""
    return SimpleNamespace(World=ToyWorld, Animator=ToyAnimator)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def mouth_files(tmp_path_factory):
    """A folder with a mouth generator, made by onnx alone, that paints everything in one colour.

    Its output also carries the hole, so that what it was given can be read back: red is 200, green
    80, blue 40 where the hole is one; 60, 200 and 60 elsewhere.
    """
    import json

    import onnx
    from onnx import TensorProto, helper

    size = 32
    channels = {"filled": 3, "hole": 1, "teeth": 2, "reference": 8}
    shape = {name: ["batch", count, size, size] for name, count in channels.items()}
    within = np.array([200, 80, 40, 0, 0], np.float32).reshape(1, 5, 1, 1) / 255
    without = np.array([60, 200, 60, 0, 0], np.float32).reshape(1, 5, 1, 1) / 255
    constants = {"within": within - without, "without": without, "nothing": np.zeros(1, np.float32)}
    nodes = [
        helper.make_node("Mul", ["hole", "within"], ["mixed"]),
        helper.make_node("Add", ["mixed", "without"], ["flat"]),
        helper.make_node("Concat", ["filled", "teeth", "reference"], ["others"], axis=1),
        helper.make_node("ReduceMean", ["others"], ["mean"]),
        helper.make_node("Mul", ["mean", "nothing"], ["unused"]),
        helper.make_node("Add", ["flat", "unused"], ["painted"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mouth",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shape.items()],
        [helper.make_tensor_value_info("painted", TensorProto.FLOAT, ["batch", 5, size, size])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    folder = tmp_path_factory.mktemp("mouth")
    onnx.save(model, folder / "mouth.onnx")
    (folder / "mouth.json").write_text(json.dumps({"size": size, "ratio": 1.5}))
    return folder
