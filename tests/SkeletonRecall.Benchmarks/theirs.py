"""Times one operation of scikit-image and scipy: theirs.py OPERATION SECONDS FOLDER INPUTS

Reads FOLDER/0.npy, FOLDER/1.npy and so on, writes FOLDER/result.npy, and prints the least milliseconds of at least 5 runs
that fill SECONDS, after at least 2 runs that fill SECONDS; of a slow operation, the milliseconds of its only run.
"""

import sys
import time

import numpy as np
from scipy import ndimage
from skimage.measure import euler_number
from skimage.morphology import dilation, skeletonize


def tubed(labels):
    skeleton = (skeletonize(labels > 0) > 0).astype(np.int16)
    return dilation(dilation(skeleton)) * labels


def thinning(mask):
    return skeletonize(mask)


def dilations(mask):
    return dilation(dilation(mask))


def betti(mask):
    # One voxel of background all round, so that all that is outside is one component.
    padded = np.pad(mask, 1)
    components = ndimage.label(padded, np.ones((3, 3, 3)))[1]
    cavities = ndimage.label(~padded)[1] - 1
    return components, components + cavities - euler_number(padded, connectivity=3), cavities


def cldice(prediction, truth):
    def share(skeleton, mask):
        return np.sum(skeleton * mask) / np.sum(skeleton)

    precision = share(skeletonize(prediction) > 0, truth)
    sensitivity = share(skeletonize(truth) > 0, prediction)
    return precision, sensitivity, 2 * precision * sensitivity / (precision + sensitivity)


def distance(mask):
    return ndimage.distance_transform_edt(mask)


def erosions(mask):
    return ndimage.binary_erosion(mask, iterations=2, border_value=1)


def ball(mask):
    # scipy's own way to a large ball: the distances to the mask, cut off.
    return ndimage.distance_transform_edt(~mask) <= 4


def dice_ce(logits, labels):
    import torch

    torch.set_num_threads(1)
    logits = torch.from_numpy(logits).requires_grad_()
    labels = torch.from_numpy(labels)
    axes = tuple(range(2, logits.ndim))
    predicted = logits.softmax(1)[:, 1:]
    with torch.no_grad():
        truth = torch.zeros(logits.shape, dtype=torch.bool).scatter_(1, labels.long(), 1)[:, 1:]
        wanted = truth.sum(axes)
    overlap, sizes = (predicted * truth).sum(axes), predicted.sum(axes)
    dice = (2 * overlap + 1e-5) / torch.clip(wanted + sizes + 1e-5, 1e-8)
    loss = torch.nn.functional.cross_entropy(logits, labels[:, 0].long()) - dice.mean()
    torch.autograd.grad(loss, logits)
    return loss.item()


def scores(prediction, truth):
    both = np.count_nonzero(prediction & truth)
    ours, theirs = np.count_nonzero(prediction), np.count_nonzero(truth)
    overlap = [
        2 * both / (ours + theirs),
        both / (ours + theirs - both),
        both / ours,
        both / theirs,
        abs(ours - theirs) / theirs,
    ]
    precision, sensitivity, centreline = cldice(prediction, truth)
    numbers = [betti(prediction), betti(truth)]
    topology = [abs(left - right) for left, right in zip(*numbers)]
    euler = abs(
        (numbers[0][0] - numbers[0][1] + numbers[0][2]) - (numbers[1][0] - numbers[1][1] + numbers[1][2])
    )
    borders = [mask & ~ndimage.binary_erosion(mask) for mask in (prediction, truth)]
    there = ndimage.distance_transform_edt(~borders[1])[borders[0]]
    back = ndimage.distance_transform_edt(~borders[0])[borders[1]]
    pieces = len(there) + len(back)
    surface = [
        max(there.max(), back.max()),
        max(np.percentile(there, 95), np.percentile(back, 95)),
        (there.sum() + back.sum()) / pieces,
        (there.mean() + back.mean()) / 2,
        (np.count_nonzero(there <= 1) + np.count_nonzero(back <= 1)) / pieces,
    ]
    return np.round(overlap + [centreline, precision, sensitivity] + topology + [euler] + surface, 9)


def persistence(masks):
    from gudhi import CubicalComplex

    numbers = []
    for mask in masks:
        cells = CubicalComplex(top_dimensional_cells=np.where(mask, 0.0, 1.0))
        cells.compute_persistence()
        for dimension in range(mask.ndim):
            births = cells.persistence_intervals_in_dimension(dimension)[:, 0]
            numbers.append(np.count_nonzero(births == 0))
    return numbers


def nifti(file):
    # Written and read each time, as on the other side; imported here, because the other operations do without it.
    import os
    import tempfile

    import nibabel

    handle, path = tempfile.mkstemp(suffix=".nii.gz")
    with os.fdopen(handle, "wb") as target:
        target.write(file)
    result = np.asanyarray(nibabel.load(path).dataobj).transpose()
    os.remove(path)
    return result


def resize(values, shape, order):
    # scikit-image's resize without a filter, as nnU-Net calls it.
    values = values.astype(float)
    factors = [new / old for new, old in zip(shape, values.shape)]
    result = ndimage.zoom(values, factors, order=order, mode="nearest", grid_mode=True)
    return np.clip(result, values.min(), values.max())


def zoom(image, size):
    result = ndimage.zoom(image, size[0] / image.shape[0], order=3, mode="nearest", grid_mode=True)
    return np.clip(result, image.min(), image.max())


def prepared(image, labels):
    # nnU-Net's crop, z-score, resampling and class locations of a case of one channel.
    spacing, target = (1.5, 0.8, 0.8), (1.2, 0.7, 0.9)
    mask = ndimage.binary_fill_holes(image != 0)
    box = tuple(slice(at.min(), at.max() + 1) for at in np.where(mask))
    mask, image, labels = mask[box], image[box], labels[box]
    labels = np.where((labels == 0) & ~mask, -1, labels).astype(np.int16)
    image = (image - image.mean(dtype=np.float64)) / max(image.std(dtype=np.float64), 1e-8)
    shape = [int(round(old / new * length)) for old, new, length in zip(spacing, target, image.shape)]
    resampled = resize(image, shape, 3).astype(np.float32)
    seg = np.zeros(shape, np.int16)
    for label in np.unique(labels):
        seg[resize(labels == label, shape, 1) >= 0.5] = label
    random = np.random.RandomState(1234)
    at = np.argwhere(seg == 1)
    kept = max(min(10000, len(at)), int(np.ceil(len(at) * 0.01)))
    locations = at[random.choice(len(at), kept, replace=False)]
    return resampled, seg, locations


def preprocess(image, labels):
    resampled, seg, _ = prepared(image, labels)
    return np.concatenate([resampled.ravel(), seg.ravel().astype(np.float32)])


def preprocess_peak(image, labels):
    def status(key):
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024

    prepared(image[:20, :24, :24], labels[:20, :24, :24])
    before = status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    result = prepared(image, labels)
    assert len(result) == 3
    return np.array([status("VmHWM") - before])


OPERATIONS = {
    "zoom": (zoom, np.float32),
    "preprocess": (preprocess, np.float32),
    "preprocess_peak": (preprocess_peak, np.float64),
    "nifti": (nifti, np.int16),
    "tubed": (tubed, np.int16),
    "thinning": (thinning, np.uint8),
    "dilations": (dilations, np.uint8),
    "distance": (distance, np.float64),
    "erosions": (erosions, np.uint8),
    "ball": (ball, np.uint8),
    "betti": (betti, np.int64),
    "cldice": (cldice, np.float64),
    "dice_ce": (dice_ce, np.float64),
    "scores": (scores, np.float64),
    "persistence": (persistence, np.int64),
}

# So slow that one run must do.
SLOW = {"persistence", "preprocess_peak"}


def best(seconds, work):
    def phase(least):
        start = time.perf_counter()
        shortest, runs = float("inf"), 0
        while runs < least or time.perf_counter() - start < seconds:
            begin = time.perf_counter()
            result = work()
            shortest = min(shortest, time.perf_counter() - begin)
            runs += 1
        return shortest, result

    phase(2)
    return phase(5)


def main(operation, seconds, folder, inputs):
    work, kind = OPERATIONS[operation]
    arrays = [np.load(f"{folder}/{at}.npy") for at in range(int(inputs))]
    if operation in SLOW:
        begin = time.perf_counter()
        result = work(*arrays)
        shortest = time.perf_counter() - begin
    else:
        shortest, result = best(float(seconds), lambda: work(*arrays))
    np.save(f"{folder}/result.npy", np.asarray(result).astype(kind))
    print(repr(1000 * shortest))


main(*sys.argv[1:])
