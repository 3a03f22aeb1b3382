"""Random texture with the spectrum of a scan's noise and tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Distances over which the values of neighbouring voxels are taken for correlated.
_REACH_MM = 12.0
_REACH_VOXELS = 10
_MOST_SAMPLES = 5_001
# A correlation from fewer pairs of voxels is noise itself.
_LEAST_PAIRS = 30


@dataclass(frozen=True)
class Texture:
    """The correlation and the distribution of the deviations of voxels from their mean.

    Attributes
    ----------
    correlation : ndarray, shape (2 a + 1, 2 b + 1, 2 c + 1)
        Of two voxels by their distance along k, j and i; 1 in the middle.
    deviations : ndarray, shape (n,)
        Samples of the deviations in HU, in ascending order, whose mean is 0.
    """

    correlation: np.ndarray
    deviations: np.ndarray

    @property
    def sd(self) -> float:
        """Standard deviation in HU."""
        return float(self.deviations.std())

    @classmethod
    def of(cls, values: np.ndarray, where: np.ndarray, spacing_mm: np.ndarray) -> Texture:
        """Return the texture of deviations (nk, nj, ni) in HU at some voxels, of which there must be at least two.

        `spacing_mm` (3,) is along k, j and i.
        """
        from scipy import fft

        samples = np.sort(values[where].astype(np.float64))
        if len(samples) > _MOST_SAMPLES:
            # Evenly spaced quantiles: values are looked up among them for every voxel that is drawn.
            samples = samples[np.linspace(0, len(samples) - 1, _MOST_SAMPLES).round().astype(int)]
        samples = samples - samples.mean()
        reach = [
            int(min(_REACH_VOXELS, max(np.ceil(_REACH_MM / step), 1), n - 1))
            for step, n in zip(spacing_mm, values.shape, strict=True)
        ]
        # Products of all pairs at each distance, and their number, by the theorem of Wiener and Khinchin.
        size = [fft.next_fast_len(n + r, real=True) for n, r in zip(values.shape, reach, strict=True)]
        centred = np.where(where, values - values[where].mean(), 0.0).astype(np.float32)
        products, pairs = (
            fft.irfftn(np.abs(fft.rfftn(each, size)) ** 2, size) for each in (centred, where.astype(np.float32))
        )
        index = np.ix_(*(np.arange(-r, r + 1) for r in reach))
        products, pairs = products[index], pairs[index]
        covariance = np.where(pairs >= _LEAST_PAIRS, products / np.maximum(pairs, 1), 0.0)
        middle = tuple(reach)
        variance = float(covariance[middle])
        if variance <= 0:
            correlation = np.zeros(covariance.shape)
            correlation[middle] = 1.0
            return cls(correlation, samples)
        # Far apart, few pairs are left; there the correlation fades.
        for axis, r in enumerate(reach):
            window = np.cos(np.linspace(-np.pi / 2, np.pi / 2, 2 * r + 3)[1:-1]) ** 2
            shape = [1, 1, 1]
            shape[axis] = len(window)
            covariance = covariance * window.reshape(shape)
        return cls(covariance / covariance[middle], samples)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Draw deviations in HU with this correlation and distribution, float32."""
        from scipy.special import ndtr

        normal = self.draw_normal(shape, rng)
        # Mapped to the distribution of the samples, which need not be normal.
        place = (np.arange(len(self.deviations)) + 0.5) / len(self.deviations)
        return np.interp(ndtr(normal), place, self.deviations).astype(np.float32)

    def draw_normal(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Draw normal noise with this correlation and the standard deviation 1."""
        from scipy import fft

        reach = [(n - 1) // 2 for n in self.correlation.shape]
        # With room for the reach, so that opposite ends of the volume are not correlated.
        size = [fft.next_fast_len(n + r, real=True) for n, r in zip(shape, reach, strict=True)]
        size = [max(n, 2 * r + 1) for n, r in zip(size, reach, strict=True)]
        kernel = np.zeros(size, dtype=np.float32)
        kernel[np.ix_(*(np.arange(-r, r + 1) for r in reach))] = self.correlation
        power = np.maximum(fft.rfftn(kernel).real, 0.0)
        white = fft.rfftn(rng.standard_normal(size, dtype=np.float32))
        noise = fft.irfftn(white * np.sqrt(power), size)
        return (noise / max(float(noise.std()), 1e-9))[: shape[0], : shape[1], : shape[2]]


def smooth_noise(shape: tuple[int, ...], sigma: np.ndarray | list[float], rng: np.random.Generator) -> np.ndarray:
    """Return normal noise with the standard deviation 1, smoothed with a sigma in voxels along each axis."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    return noise / noise.std()
