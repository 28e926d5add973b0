"""One level of Catmull-Clark subdivision (Catmull and Clark 1978) as a constant matrix."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from scipy import sparse


def catmull_clark(quads: Int[np.ndarray, "quads 4"], count: int) -> tuple[sparse.csr_matrix, Int[np.ndarray, "fine 4"]]:
    """Matrix from `count` coarse vertices to the fine ones (old vertices, then edges, then faces), and the fine quads.

    Borders become uniform cubic B-splines.
    """
    rows = len(quads)
    sides = np.stack([quads, np.roll(quads, -1, 1)], -1)  # [quads, 4, 2]: corner k to corner k + 1
    edges, edge_of = np.unique(np.sort(sides.reshape(-1, 2), 1), axis=0, return_inverse=True)
    edge_of = edge_of.reshape(rows, 4)
    faces = _weights(np.arange(rows).repeat(4), quads.ravel(), 0.25, (rows, count))
    middle = _weights(np.arange(len(edges)).repeat(2), edges.ravel(), 0.5, (len(edges), count))
    uses = np.bincount(edge_of.ravel(), minlength=len(edges))
    beside = _weights(edge_of.ravel(), np.arange(rows).repeat(4), 0.5, (len(edges), rows)) @ faces
    inner = (uses == 2).astype(float)
    edge_points = sparse.diags(1 - inner / 2) @ middle + sparse.diags(inner / 2) @ beside
    matrix = sparse.vstack([_vertex_points(quads, edges, uses != 2, faces, middle), edge_points, faces]).tocsr()
    e, f = count + edge_of, count + len(edges) + np.arange(rows)
    fine = [np.stack([quads[:, k], e[:, k], f, e[:, k - 1]], 1) for k in range(4)]
    return matrix, np.concatenate(fine)


def _vertex_points(
    quads: np.ndarray, edges: np.ndarray, border_edge: np.ndarray, faces: sparse.csr_matrix, middle: sparse.csr_matrix
) -> sparse.csr_matrix:
    """(F + 2 E + (n - 3) V) / n inside; 1/8, 6/8, 1/8 on the border."""
    count = faces.shape[1]
    valence = np.maximum(np.bincount(edges.ravel(), minlength=count), 1)
    around = _weights(quads.ravel(), np.arange(len(quads)).repeat(4), 1.0, (count, len(quads)))
    corners = np.maximum(np.bincount(quads.ravel(), minlength=count), 1)
    ends = _weights(edges.ravel(), np.arange(len(edges)).repeat(2), 1.0, (count, len(edges)))
    mean_face, mean_edge = sparse.diags(1 / corners) @ around @ faces, sparse.diags(1 / valence) @ ends @ middle
    inside = sparse.diags(1 / valence) @ (mean_face + 2 * mean_edge) + sparse.diags((valence - 3) / valence)
    border = np.zeros(count)
    border[edges[border_edge].ravel()] = 1
    hem = ends @ sparse.diags(border_edge.astype(float)) @ middle  # sum of the two border midpoints
    degree = np.maximum(ends @ border_edge.astype(float), 1)
    on_border = sparse.identity(count) * 0.5 + sparse.diags(0.5 / degree) @ hem
    return sparse.diags(1 - border) @ inside + sparse.diags(border) @ on_border


def _weights(rows: np.ndarray, columns: np.ndarray, weight: float, shape: tuple[int, int]) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.full(len(rows), weight), (rows, columns)), shape)
