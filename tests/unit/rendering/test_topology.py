import pytest
import torch

from xpress.rendering.topology import mesh_edges

SQUARE = [[0, 1, 2], [0, 2, 3]]


def _described(triangles):
    """{ends: {(triangle, turn)}}."""
    edges = mesh_edges(triangles)
    described = {}
    for ends, owners, turns in zip(
        edges.ends.T.tolist(), edges.owners.T.tolist(), edges.turns.T.tolist(), strict=True
    ):
        pairs = {(o, t) for o, t in zip(owners, turns, strict=True) if t}
        assert tuple(ends) not in described
        described[tuple(ends)] = pairs
    return described


def _counted(triangles):
    """The same, one triangle after the other."""
    described = {}
    for number, corners in enumerate(triangles.tolist()):
        for start, stop in zip(corners, corners[1:] + corners[:1], strict=True):
            turn = 1 if start < stop else -1
            described.setdefault((min(start, stop), max(start, stop)), set()).add((number, turn))
    return described


def test_the_diagonal_of_a_square_has_two_triangles_that_run_against_each_other():
    described = _described(torch.tensor(SQUARE))
    assert described.pop((0, 2)) == {(0, -1), (1, 1)}
    assert described == {(0, 1): {(0, 1)}, (1, 2): {(0, 1)}, (2, 3): {(1, 1)}, (0, 3): {(1, -1)}}


def test_a_closed_surface_has_two_triangles_an_edge(make_ball):
    _, triangles = make_ball(6)
    edges = mesh_edges(triangles)
    assert (edges.turns.sum(0) == 0).all()
    assert (edges.turns.abs().sum(0) == 2).all()
    assert 2 * edges.ends.shape[1] == 3 * len(triangles)  # and Euler's formula holds:
    assert len(triangles.unique()) - edges.ends.shape[1] + len(triangles) == 2


@pytest.mark.parametrize("fan", [2, 3, 5])
def test_edges_of_any_number_of_triangles(fan):
    triangles = torch.tensor([[0, 1, 2 + leaf] for leaf in range(fan)])
    assert mesh_edges(triangles).owners.shape == (fan, 1 + 2 * fan)
    assert _described(triangles) == _counted(triangles)


def test_random_meshes_against_counting():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        corners = torch.rand(30, 12, generator=generator).argsort(1)[:, :3]
        assert _described(corners) == _counted(corners)


def test_edges_are_remembered_until_the_triangles_change():
    triangles = torch.tensor(SQUARE)
    first = mesh_edges(triangles)
    assert mesh_edges(triangles) is first
    triangles[1, 2] = 1
    assert _described(triangles) == _counted(triangles)
    with torch.inference_mode():
        assert _described(triangles.clone()) == _counted(triangles)


def test_a_mesh_without_triangles_has_no_edges():
    edges = mesh_edges(torch.zeros(0, 3, dtype=torch.int64))
    assert edges.ends.shape == (2, 0)
    assert edges.owners.shape == (0, 0)
