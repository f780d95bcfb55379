"""Writes the golden files of this folder: whole cases through nnU-Net v2's steps of preprocessing, in numpy and scipy alone.

    python3 make.py [FOLDER]

The steps follow nnunetv2's default_preprocessor.py, cropping.py, default_normalization_schemes.py and default_resampling.py;
scikit-image's resize is scipy's zoom with mode nearest and grid_mode, clipped to the input's range.
Each case leaves NAME-image.npy (float32), NAME-labels.npy (int16) and NAME-at-LABEL.npy (row-major positions, int64).
"""

import sys

import numpy as np
from scipy import ndimage


def inputs(shape, channels):
    """Images of one frame of zeros, with a cavity and two zeros at the border of what is not zero; labels 0 to 2."""
    count = int(np.prod(shape))
    i = np.arange(count)
    z, y, x = np.unravel_index(i, shape)
    inside = (y + x > 7) & (y >= 2) & (y < shape[1] - 3) & (x >= 1) & (x < shape[2] - 2) & ((z >= 1) | (shape[0] == 1))
    cavity = (z == shape[0] // 2) & (y == shape[1] // 2) & (x == shape[2] // 2)
    images = [
        np.where(inside & ~cavity & ((i % 29 != 0) | (x > 3)), (i * 7919 + 13 * (i % 17) + 101 * c) % 1009 / 10 + 1, 0)
        for c in range(channels)
    ]
    labels = (z * z + 2 * y * x + 3 * x) // 25 % 3
    labels[(x < 2) & (y > 1)] = 0
    return np.stack(images).astype(np.float32).reshape(channels, *shape), labels.astype(np.int16).reshape(1, *shape)


def crop(image, labels):
    mask = ndimage.binary_fill_holes(np.any(image != 0, axis=0))
    where = np.where(mask)
    box = tuple(slice(int(at.min()), int(at.max()) + 1) for at in where)
    mask, image, labels = mask[box], image[(slice(None), *box)], labels[(slice(None), *box)]
    labels = np.where((labels == 0) & ~mask[None], -1, labels)
    return image.astype(np.float32), labels, [(at.start, at.stop) for at in box]


def normalize(scheme, image, labels):
    image = image.copy()
    if scheme == "zscore":
        image -= image.mean()
        image /= max(image.std(), 1e-8)
    elif scheme == "zscore-inside":
        mask = labels[0] >= 0
        mean, deviation = image[mask].mean(), image[mask].std()
        image[mask] = (image[mask] - mean) / max(deviation, 1e-8)
    elif scheme == "ct":
        image = (np.clip(image, 5.0, 95.0) - 48.5) / 27.25
    elif scheme == "rescale":
        image -= image.min()
        image /= max(image.max(), 1e-8)
    return image.astype(np.float32)


def resize(values, shape, order):
    values = values.astype(float)
    factors = [new / old for new, old in zip(shape, values.shape)]
    result = ndimage.zoom(values, factors, order=order, mode="nearest", grid_mode=True)
    assert result.shape == tuple(shape)
    return np.clip(result, values.min(), values.max())


def resize_labels(values, shape):
    result = np.zeros(shape, np.int16)
    for label in np.unique(values):
        result[resize(values == label, shape, 1) >= 0.5] = label
    return result


def separate_axis(spacing, target):
    for values in (spacing, target):
        if max(values) / min(values) > 3:
            worst = [axis for axis in range(3) if values[axis] == max(values)]
            return worst[0] if len(worst) == 1 else None
    return None


def resample(values, shape, spacing, target, work):
    if values.shape == tuple(shape):
        return values
    axis = separate_axis(spacing, target)
    if axis is None:
        return work(values, shape)
    plane = [shape[other] for other in range(3) if other != axis]
    slices = np.stack([work(np.take(values, at, axis), plane) for at in range(values.shape[axis])], axis)
    if values.shape[axis] == shape[axis]:
        return slices
    scale = values.shape[axis] / shape[axis]
    at = np.floor(scale * (np.arange(shape[axis]) + 0.5)).astype(int)
    return np.take(slices, np.clip(at, 0, values.shape[axis] - 1), axis)


def locations(labels, classes):
    random = np.random.RandomState(1234)
    found = {}
    for label in classes:
        at = np.flatnonzero(labels == label)
        if len(at):
            kept = max(min(10000, len(at)), int(np.ceil(len(at) * 0.01)))
            found[label] = at[random.choice(len(at), kept, replace=False)]
    return found


def preprocess(image, labels, spacing, order, target, schemes):
    image = image.transpose(0, *(axis + 1 for axis in order))
    labels = labels.transpose(0, *(axis + 1 for axis in order))
    spacing = [spacing[axis] for axis in order]
    target = [spacing[0], *target] if len(target) == 2 else target
    image, labels, box = crop(image, labels)
    image = np.stack([normalize(scheme, image[c], labels) for c, scheme in enumerate(schemes)])
    shape = [int(round(old / new * length)) for old, new, length in zip(spacing, target, image.shape[1:])]
    resampled = [
        resample(channel, shape, spacing, target, lambda v, s: resize(v, s, 3)).astype(np.float32) for channel in image
    ]
    seg = resample(labels[0], shape, spacing, target, resize_labels).astype(np.int16)
    return np.stack(resampled), seg, box


CASES = {
    # name: shape, spacing, order of the axes, target spacing, schemes
    "even": ((9, 14, 16), (1.5, 1.0, 1.2), (0, 1, 2), (1.2, 0.9, 1.6), ("zscore", "zscore-inside")),
    "turned": ((9, 14, 16), (1.0, 1.1, 2.0), (2, 0, 1), (1.5, 1.0, 0.8), ("ct", "rescale")),
    "separate": ((7, 14, 16), (4.0, 1.0, 1.0), (0, 1, 2), (2.5, 0.8, 0.9), ("zscore",)),
    "slices": ((7, 14, 16), (1.3, 1.0, 1.0), (0, 1, 2), (0.8, 0.9), ("zscore-inside",)),
    "one-slice": ((1, 14, 16), (5.0, 1.0, 1.0), (0, 1, 2), (2.0, 1.3, 0.7), ("none",)),
    "plane": ((1, 14, 16), (999.0, 1.0, 1.0), (0, 1, 2), (0.8, 1.3), ("zscore", "zscore", "none")),
}


def main(folder):
    for name, (shape, spacing, order, target, schemes) in CASES.items():
        image, labels = inputs(shape, len(schemes))
        resampled, seg, box = preprocess(image, labels, spacing, order, target, schemes)
        np.save(f"{folder}/{name}-image.npy", resampled)
        np.save(f"{folder}/{name}-labels.npy", seg)
        for label, at in locations(seg, (1, 2)).items():
            np.save(f"{folder}/{name}-at-{label}.npy", at.astype(np.int64))
        print(name, resampled.shape, box, [int((seg == label).sum()) for label in (-1, 0, 1, 2)])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
