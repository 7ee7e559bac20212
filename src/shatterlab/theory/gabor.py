"""Gabor wavelets, which respond to gratings of some width and direction at each place of an image.

Zhang et al. (2017) interpolate MNIST after a Gabor wavelet transform but do not say which; the bank below is ours.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..arguments import number, scale_of_pixels, whole

BLOCK = 4_096
"""So many images are transformed at a time."""
SPREAD = 0.5
"""The standard deviation of a wavelet's envelope is this many wavelengths."""


def gabor_bank(
    height: int, width: int, *, wavelengths: Sequence[float], orientations: int, stride: int
) -> NDArray[np.complex64]:
    """Makes wavelets centred on a grid of places, one in each column.

        g(u, v) = exp(-(u² + v²) / (2 sigma²)) (exp(2 pi i u' / wavelength) - c),  u' = u cos t + v sin t

    with sigma = wavelength / 2 and c such that a constant image gives zero; each has l2 norm 1 away from the border.

    Args:
        height, width: size of the images, in pixels.
        wavelengths: wavelengths of the gratings, in pixels.
        orientations: number of angles t, evenly from 0 to pi.
        stride: number of pixels between places.

    Returns:
        (height * width, places * len(wavelengths) * orientations) complex64.

    Raises:
        ValueError: a number is not positive and finite, or there is no wavelength.
    """
    wavelengths = [number("each wavelength", wavelength, above=True) for wavelength in wavelengths]
    if not wavelengths:
        raise ValueError("there must be at least one wavelength.")
    height, width = whole("height", height), whole("width", width)
    orientations, stride = whole("orientations", orientations), whole("stride", stride)
    rows, columns = np.mgrid[:height, :width].reshape(2, -1, 1)
    places = np.mgrid[stride // 2 : height : stride, stride // 2 : width : stride].reshape(2, 1, -1)
    down, right = rows - places[0], columns - places[1]
    bank = []
    for wavelength in wavelengths:
        envelope = np.exp(-(down**2 + right**2) / (2 * (SPREAD * wavelength) ** 2))
        constant = np.exp(-2 * (np.pi * SPREAD) ** 2)  # the envelope's Fourier transform at the wave's frequency
        norm = SPREAD * wavelength * np.sqrt(np.pi)
        for angle in np.pi * np.arange(orientations) / orientations:
            wave = np.exp(2j * np.pi / wavelength * (right * np.cos(angle) + down * np.sin(angle)))
            bank.append(envelope * (wave - constant) / norm)
    return np.concatenate(bank, axis=1).astype(np.complex64)


def gabor_features(
    images: NDArray, *, wavelengths: Sequence[float] = (4.0, 6.0, 9.0), orientations: int = 8, stride: int = 4
) -> NDArray[np.float32]:
    """The magnitude of each wavelet's response, which small shifts of the image hardly change.

    Args:
        images: (n, height, width, channels) or (n, height, width); uint8 is divided by 255.
        wavelengths: wavelengths of the gratings, in pixels.
        orientations: number of angles, evenly from 0 to pi.
        stride: number of pixels between the places where responses are taken.

    Returns:
        (n, features) float32.

    Raises:
        ValueError: the images have another shape or type, see also `gabor_bank`.
    """
    white = np.float32(scale_of_pixels(images))
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4:
        raise ValueError(f"images must be (n, height, width[, channels]), got shape {images.shape}.")
    n, height, width, channels = images.shape
    bank = gabor_bank(height, width, wavelengths=wavelengths, orientations=orientations, stride=stride)
    real, imaginary = np.ascontiguousarray(bank.real), np.ascontiguousarray(bank.imag)
    features = np.empty((n, channels, bank.shape[1]), dtype=np.float32)
    for start in range(0, n, BLOCK):
        for channel in range(channels):
            pixels = images[start : start + BLOCK, :, :, channel].reshape(-1, height * width).astype(np.float32) / white
            features[start : start + BLOCK, channel] = np.hypot(pixels @ real, pixels @ imaginary)
    return features.reshape(n, -1)
