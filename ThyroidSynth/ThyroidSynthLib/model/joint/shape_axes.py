"""Axes of a code that are ordered by how much they move the surface over the training cases.

The numbers of a code have no unit, and most of their spread hardly changes the shape. Along these axes a code is
measured in millimetres of the surface, so that what depends on what can be learned from few cases.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.model.network import SDFNetwork

# Points in the box, training codes at which the motion of the surface is evaluated, and how near to a surface the
# points must lie, in the `unit` frame.
_POINTS, _CODES, _NEAR = 3000, 8, 0.08
# Least steepness of the field, as a share of a distance's, and least share of the motion along an axis.
_LEAST_SLOPE, _LEAST_SHARE = 0.3, 1e-6


def shape_axes(network: SDFNetwork, frame: Frame, codes: np.ndarray, blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the matrix (code_size, code_size) that maps codes to coordinates along axes of shape change, in mm.

    Parameters
    ----------
    codes : ndarray, shape (n, code_size)
        Whole codes of the training cases.
    blocks : sequence of ndarray of int
        Groups of dimensions that have axes of their own, together all of them; within each, the axes are in the order
        of the spread of the training cases.
    """
    motion = _motion(network, frame, codes)
    axes = np.zeros((codes.shape[1],) * 2)
    for block in blocks:
        if not len(block):
            continue
        strength, directions = np.linalg.eigh(motion[np.ix_(block, block)])
        strength = np.maximum(strength, _LEAST_SHARE * max(float(strength.max()), 1e-12))
        metric = (directions * np.sqrt(strength)).T
        moved = (codes[:, block] - codes[:, block].mean(axis=0)) @ metric.T
        axes[np.ix_(block, block)] = np.linalg.svd(moved, full_matrices=True)[2] @ metric
    return axes


def _motion(network: SDFNetwork, frame: Frame, codes: np.ndarray) -> np.ndarray:
    """Return the mean product (code_size, code_size) of the motions of the surface with two dimensions, in mm²."""
    rng = np.random.default_rng(0)
    lower, upper = frame.to_unit(frame.lower_mm), frame.to_unit(frame.upper_mm)
    points = rng.uniform(lower, upper, (_POINTS, 3)).astype(np.float32)
    total, count = np.zeros((codes.shape[1],) * 2), 0
    for code in codes[rng.permutation(len(codes))[:_CODES]]:
        values, gradient, by_code = network.derivatives(points, network.fold(code.astype(np.float32)))
        near = np.abs(values) < _NEAR
        slope = np.linalg.norm(gradient[near] / frame.scale_mm, axis=1)
        motion = by_code[near] / np.maximum(slope, _LEAST_SLOPE / frame.scale_mm.mean())[:, None]
        total += motion.T.astype(np.float64) @ motion
        count += int(near.sum())
    return total / max(count, 1)
