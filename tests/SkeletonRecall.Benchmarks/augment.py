"""nnU-Net's loader with skeletons, written in numpy, scipy, scikit-image and torch: augment.py BATCHES FOLDER DIMENSIONS SEED

Reads FOLDER/image.npy (channel, spatial...) and FOLDER/labels.npy, draws BATCHES batches of 2 patches (after one that does
not count) with upstream's parameters (batchgeneratorsv2 as nnUNetTrainer sets it up), and prints the mean milliseconds of a
batch and the share of them that skeletons take, on one thread.
"""

import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from skimage.morphology import dilation, skeletonize

torch.set_num_threads(1)
random = np.random.default_rng(int(sys.argv[4]))
skeletons = 0.0


def factor(low, high):
    if low < 1 and random.random() < 0.5:
        return random.uniform(low, 1)
    return random.uniform(max(low, 1), high)


def crop(image, labels, initial, final, forced):
    shape = labels.shape
    need = [max(i - f, i - s) for i, f, s in zip(initial, final, shape)]
    low = [-(-(-n // 2)) if n < 0 else -((n + 1) // 2) for n in need]
    high = [s + (n + 1) // 2 - i for s, n, i in zip(shape, need, initial)]
    if forced:
        voxel = positions[random.integers(len(positions))]
        corner = [max(a, v - i // 2) for a, v, i in zip(low, voxel, initial)]
    else:
        corner = [random.integers(a, b + 1) for a, b in zip(low, high)]
    patch = np.zeros((image.shape[0], *initial), np.float32)
    seg = np.full(initial, -1, np.int16)
    source = tuple(slice(max(0, c), min(s, c + i)) for c, s, i in zip(corner, shape, initial))
    target = tuple(slice(s.start - c, s.stop - c) for s, c in zip(source, corner))
    patch[(slice(None), *target)] = image[(slice(None), *source)]
    seg[target] = labels[source]
    return torch.from_numpy(patch), torch.from_numpy(seg)


def spatial(image, seg, final):
    dimensions = seg.ndim
    rotate, scale = random.random() < 0.2, random.random() < 0.2
    if not rotate and not scale:
        start = [s // 2 - f // 2 for s, f in zip(seg.shape, final)]
        box = tuple(slice(a, a + f) for a, f in zip(start, final))
        return image[(slice(None), *box)].clone(), seg[box].clone()
    matrix = np.eye(dimensions)
    if rotate and dimensions == 2:
        angle = random.uniform(-np.pi, np.pi)
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    elif rotate:
        for axis in range(3):
            angle = random.uniform(-np.pi / 6, np.pi / 6)
            turn = np.eye(3)
            a, b = [i for i in range(3) if i != axis]
            turn[a, a], turn[a, b], turn[b, a], turn[b, b] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
            matrix = matrix @ turn
    if scale:
        matrix = matrix * random.uniform(0.7, 1.4)
    axes = [torch.linspace((1 - f) / 2, (f - 1) / 2, f) for f in final]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1) @ torch.from_numpy(matrix).float()
    grid = grid / (torch.tensor(seg.shape) / 2)
    grid = torch.flip(grid, [-1])[None]
    image = F.grid_sample(image[None], grid, "bilinear", "zeros", False)[0]
    present = torch.unique(seg)
    result = torch.zeros(tuple(final), dtype=torch.int16)
    scores = torch.zeros((len(present), *final), dtype=torch.float16)
    done = torch.zeros(tuple(final), dtype=torch.bool)
    for number, label in enumerate(present):
        one = F.grid_sample((seg == label).float()[None, None] * 1000, grid, "bilinear", "zeros", False)[0, 0]
        scores[number] = one.half()
        sure = scores[number] > 700
        result[sure] = label
        done |= sure
    result[~done] = present[scores[:, ~done].float().argmax(0)].to(torch.int16)
    return image, result


def intensity(image):
    channels = image.shape[0]
    if random.random() < 0.1:
        image = image + torch.normal(0, random.uniform(0, 0.1), image.shape)
    if random.random() < 0.2:
        for c in range(channels):
            if random.random() < 0.5:
                sigmas = [random.uniform(0.5, 1) for _ in image.shape[1:]]
                image[c] = torch.from_numpy(gaussian_filter(image[c].numpy(), sigmas, mode="mirror", truncate=3))
    if random.random() < 0.15:
        for c in range(channels):
            image[c] *= factor(0.75, 1.25)
    if random.random() < 0.15:
        for c in range(channels):
            mean, low, high = image[c].mean(), image[c].min(), image[c].max()
            image[c] = ((image[c] - mean) * factor(0.75, 1.25) + mean).clamp(low, high)
    if random.random() < 0.25:
        for c in range(channels):
            if random.random() < 0.5:
                zoom = random.uniform(0.5, 1)
                size = [round(s * zoom) for s in image.shape[1:]]
                small = F.interpolate(image[c][None, None], size, mode="nearest-exact")
                mode = "bilinear" if image.ndim == 3 else "trilinear"
                image[c] = F.interpolate(small, image.shape[1:], mode=mode)[0, 0]
    for inverted, probability in ((True, 0.1), (False, 0.3)):
        if random.random() < probability:
            for c in range(channels):
                x = -image[c] if inverted else image[c]
                mean, std, low = x.mean(), x.std(), x.min()
                spread = x.max() - low
                x = ((x - low) / max(spread, 1e-7)) ** factor(0.7, 1.5) * spread + low
                x = (x - x.mean()) * (std / max(x.std(), 1e-7)) + mean
                image[c] = -x if inverted else x
    return image


def sample(image, labels, initial, final, forced):
    global skeletons
    patch, seg = spatial(*crop(image, labels, initial, final, forced), final)
    patch = intensity(patch)
    for axis in range(seg.ndim):
        if random.random() < 0.5:
            patch, seg = torch.flip(patch, [axis + 1]), torch.flip(seg, [axis])
    seg[seg == -1] = 0
    start = time.perf_counter()
    mask = (seg > 0).numpy()
    tube = np.zeros_like(mask, dtype=np.int16)
    if mask.any():
        tube = (skeletonize(mask) > 0).astype(np.int16)
        tube = dilation(dilation(tube)) * seg.numpy()
    skeletons += time.perf_counter() - start
    heads = [seg]
    for level in (2, 4, 8):
        size = [round(s / level) for s in seg.shape]
        heads.append(F.interpolate(seg[None, None].float(), size, mode="nearest-exact")[0, 0].to(torch.int16))
    return patch, heads, torch.from_numpy(tube)


batches, folder, dimensions = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
image = np.load(f"{folder}/image.npy").astype(np.float32)
labels = np.load(f"{folder}/labels.npy").astype(np.int16)
positions = np.argwhere(labels > 0)
final = [512, 512] if dimensions == 2 else [96, 96, 96]
initial = [602, 602] if dimensions == 2 else [154, 154, 154]


def batch():
    parts = [sample(image, labels, initial, final, forced) for forced in (False, True)]
    return torch.stack([p[0] for p in parts]), [torch.stack(level) for level in zip(*(p[1] for p in parts))], [
        p[2] for p in parts
    ]


batch()
skeletons = 0.0
start = time.perf_counter()
for _ in range(batches):
    batch()
total = time.perf_counter() - start
print(f"{1000 * total / batches:.3f} {skeletons / total:.4f}")
