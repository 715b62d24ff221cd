import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import shortest_path

from xpress.morphable.mesh import boundary_loops, mirror_indices, rings, triangulate


def grid(columns, rows, without=()):
    index = np.arange(columns * rows).reshape(rows, columns)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1)
    quads = quads.reshape(-1, 4)
    return triangulate(np.delete(quads, list(without), axis=0))


def test_quads_and_repeated_corners():
    triangles = triangulate(np.array([[0, 1, 2, 3], [4, 5, 6, 6]]))
    assert sorted(map(tuple, triangles.tolist())) == [(0, 1, 2), (0, 2, 3), (4, 5, 6)]


def test_loops_of_a_sheet_with_a_hole():
    # 5 by 5 vertices, the middle quad is left out: vertices 6, 7, 11, 12 surround quad 5
    loops = sorted(boundary_loops(grid(5, 5, without=[5])), key=len)
    assert [len(loop) for loop in loops] == [4, 16]
    assert set(loops[0].tolist()) == {6, 7, 11, 12}
    outer = {i for i in range(25) if i % 5 in (0, 4) or i // 5 in (0, 4)}
    assert set(loops[1].tolist()) == outer
    for loop in loops:
        steps = np.abs(loop - np.roll(loop, 1))
        assert set(steps.tolist()) == {1, 5}  # neighbours in the grid, and closed


def test_a_closed_surface_has_no_loop():
    tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    assert boundary_loops(tetrahedron) == []


def test_mirror_of_shuffled_pairs():
    generator = np.random.default_rng(0)
    right = generator.uniform(0.2, 1, (20, 3))
    points = np.concatenate([right, right * [-1, 1, 1]])
    order = generator.permutation(40)
    mirror = mirror_indices(points[order])
    np.testing.assert_array_equal(points[order][mirror], points[order] * [-1, 1, 1])


def test_rings_are_distances_along_edges():
    triangles = grid(7, 6)
    ends = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    graph = coo_matrix((np.ones(len(ends)), ends.T), (42, 42)).tocsr()
    graph.data[:] = 1
    distance = shortest_path(graph, directed=False, unweighted=True)
    for count in (0, 1, 3):
        assert rings(triangles, 9, count) == set(np.flatnonzero(distance[9] <= count).tolist())
