"""Checkpoints as Python's nnU-Net v2 writes them, of two tiny networks with drawn weights, and what its sliding window makes
of an image with them: the networks' logits by torch, every other step written out in numpy. Also files of torch.save that
try a reader. Run with torch 1.13, numpy 1.24 and scipy 1.10: python3 make.py"""

import itertools
import json
import os
import zipfile
from collections import OrderedDict

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

here = os.path.dirname(os.path.abspath(__file__))


class Block(nn.Module):
    """conv, norm and, unless it is linear, leaky ReLU; also as a list, which doubles the names."""

    def __init__(self, conv, norm, inputs, outputs, kernel, stride, bias=True, linear=False):
        super().__init__()
        self.conv = conv(inputs, outputs, kernel, stride, [(k - 1) // 2 for k in kernel], bias=bias)
        self.norm = norm(outputs, eps=1e-5, affine=True)
        rest = [] if linear else [nn.LeakyReLU(0.01)]
        self.all_modules = nn.Sequential(self.conv, self.norm, *rest)

    def forward(self, x):
        return self.all_modules(x)


class Blocks(nn.Module):
    def __init__(self, conv, norm, inputs, outputs, kernel, stride, count):
        super().__init__()
        self.convs = nn.Sequential(
            *[
                Block(conv, norm, outputs if i else inputs, outputs, kernel, [1] * len(kernel) if i else stride)
                for i in range(count)
            ]
        )

    def forward(self, x):
        return self.convs(x)


class Residual(nn.Module):
    def __init__(self, conv, norm, inputs, outputs, kernel, stride):
        super().__init__()
        ones = [1] * len(kernel)
        self.conv1 = Block(conv, norm, inputs, outputs, kernel, stride)
        self.conv2 = Block(conv, norm, outputs, outputs, kernel, ones, linear=True)
        skip = [nn.AvgPool3d(stride, stride)] if any(s > 1 for s in stride) else []
        if inputs != outputs:
            skip.append(Block(conv, norm, inputs, outputs, ones, ones, bias=False, linear=True))
        self.skip = nn.Sequential(*skip) if skip else None

    def forward(self, x):
        beside = self.skip(x) if self.skip else x
        return nn.functional.leaky_relu(self.conv2(self.conv1(x)) + beside, 0.01)


class ResidualStage(nn.Module):
    def __init__(self, *arguments):
        super().__init__()
        self.blocks = nn.Sequential(Residual(*arguments))

    def forward(self, x):
        return self.blocks(x)


class Encoder(nn.Module):
    def __init__(self, conv, norm, channels, features, kernels, strides, residual):
        super().__init__()
        if residual:
            self.stem = Blocks(conv, norm, channels, features[0], kernels[0], strides[0], 1)
            below = [features[0]] + features[:-1]
            stages = [
                ResidualStage(conv, norm, b, f, k, s) for b, f, k, s in zip(below, features, kernels, strides)
            ]
        else:
            self.stem = None
            below = [channels] + features[:-1]
            stages = [
                nn.Sequential(Blocks(conv, norm, b, f, k, s, 1))
                for b, f, k, s in zip(below, features, kernels, strides)
            ]
        self.stages = nn.Sequential(*stages)

    def forward(self, x):
        if self.stem is not None:
            x = self.stem(x)
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        return skips


class Decoder(nn.Module):
    def __init__(self, encoder, conv, transposed, norm, features, kernels, strides, classes):
        super().__init__()
        self.encoder = encoder
        levels = list(range(len(features) - 2, -1, -1))
        ones = [1] * len(kernels[0])
        self.stages = nn.ModuleList(
            [Blocks(conv, norm, 2 * features[i], features[i], kernels[i], ones, 1) for i in levels]
        )
        self.transpconvs = nn.ModuleList(
            [transposed(features[i + 1], features[i], strides[i + 1], strides[i + 1]) for i in levels]
        )
        self.seg_layers = nn.ModuleList([conv(features[i], classes, 1) for i in levels])

    def forward(self, skips):
        x = skips[-1]
        for i, stage in enumerate(self.stages):
            x = stage(torch.cat((self.transpconvs[i](x), skips[-2 - i]), 1))
        return self.seg_layers[-1](x)


class UNet(nn.Module):
    def __init__(self, rank, channels, classes, features, kernels, strides, residual):
        super().__init__()
        conv = nn.Conv2d if rank == 2 else nn.Conv3d
        transposed = nn.ConvTranspose2d if rank == 2 else nn.ConvTranspose3d
        norm = nn.InstanceNorm2d if rank == 2 else nn.InstanceNorm3d
        self.encoder = Encoder(conv, norm, channels, features, kernels, strides, residual)
        self.decoder = Decoder(self.encoder, conv, transposed, norm, features, kernels, strides, classes)

    def forward(self, x):
        return self.decoder(self.encoder(x))


def tiles(size, patch, step=0.5):
    """First voxels of the tiles along one axis."""
    count = int(np.ceil((size - patch) / (patch * step))) + 1
    actual = (size - patch) / (count - 1) if count > 1 else 0
    return [int(np.round(i * actual)) for i in range(count)]


def importance(patch):
    peak = np.zeros(patch)
    peak[tuple(p // 2 for p in patch)] = 1
    blurred = gaussian_filter(peak, [p / 8 for p in patch], 0, mode="constant", cval=0)
    weights = (blurred / (blurred.max() / 10)).astype(np.float16)
    weights[weights == 0] = weights[weights > 0].min()
    return weights.astype(np.float64)


def predict(network, image, patch, mirror, transpose, regions):
    """Probabilities (channels, spatial...) of an image (1, spatial...), and its label map."""
    whole = image.shape[1:]
    turned = image.transpose([0] + [1 + a for a in transpose]).astype(np.float64)
    inside = np.argwhere(turned[0] != 0)
    first, last = inside.min(0), inside.max(0) + 1
    box = tuple(slice(a, b) for a, b in zip(first, last))
    cut = turned[(slice(None),) + box]
    cut = (cut - cut.mean()) / max(cut.std(), 1e-8)

    size = cut.shape[1:]
    before = [max(p - s, 0) // 2 for p, s in zip(patch, size)]
    after = [max(p - s, 0) - b for p, s, b in zip(patch, size, before)]
    padded = np.pad(cut, [(0, 0)] + list(zip(before, after)))
    weights = importance(patch)
    sums, total = None, np.zeros(padded.shape[1:])

    for place in itertools.product(*[tiles(s, p) for s, p in zip(padded.shape[1:], patch)]):
        at = tuple(slice(a, a + p) for a, p in zip(place, patch))
        tile = padded[(slice(None),) + at]
        versions = []
        for count in range(len(mirror) + 1):
            for axes in itertools.combinations(mirror, count):
                flipped = np.flip(tile, [1 + a for a in axes])
                with torch.no_grad():
                    logits = network(torch.from_numpy(np.ascontiguousarray(flipped)).float()[None])[0].numpy()
                versions.append(np.flip(logits, [1 + a for a in axes]).astype(np.float64))
        logits = np.mean(versions, 0)
        if sums is None:
            sums = np.zeros((logits.shape[0],) + padded.shape[1:])
        sums[(slice(None),) + at] += logits * weights
        total[at] += weights

    logits = (sums / total)[(slice(None),) + tuple(slice(b, b + s) for b, s in zip(before, size))]

    if regions:
        inner = 1 / (1 + np.exp(-logits))
        labels = np.zeros(size, np.uint8)
        for channel, label in enumerate(regions):
            labels[inner[channel] > 0.5] = label
    else:
        powers = np.exp(logits - logits.max(0))
        inner = powers / powers.sum(0)
        labels = inner.argmax(0).astype(np.uint8)

    probabilities = np.zeros((len(logits),) + turned.shape[1:])
    if not regions:
        probabilities[0] = 1
    probabilities[(slice(None),) + box] = inner
    map = np.zeros(turned.shape[1:], np.uint8)
    map[box] = labels
    back = [transpose.index(a) for a in range(3)] if len(transpose) == 3 else transpose
    return probabilities.transpose([0] + [1 + a for a in back]).astype(np.float32), map.transpose(back)


def write(name, configuration, network, options, labels, order, mirror, transpose, whole, trainer, prefix):
    rank, channels, classes, features, kernels, strides, residual = options
    patch = configuration["patch_size"]
    folder = os.path.join(here, name)
    os.makedirs(os.path.join(folder, "fold_0"), exist_ok=True)
    stages = len(features)
    kind = "ResidualEncoderUNet" if residual else "PlainConvUNet"
    configuration.update(
        {
            "data_identifier": "nnUNetPlans_" + name,
            "preprocessor_name": "DefaultPreprocessor",
            "batch_size": 2,
            "median_image_size_in_voxels": [float(p) for p in patch],
            "spacing": [1.0] * rank,
            "normalization_schemes": ["ZScoreNormalization"],
            "use_mask_for_norm": [False],
            "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_seg": "resample_data_or_seg_to_shape",
            "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
            "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities_kwargs": {
                "is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None,
            },
            "architecture": {
                "network_class_name": "dynamic_network_architectures.architectures.unet." + kind,
                "arch_kwargs": {
                    "n_stages": stages,
                    "features_per_stage": features,
                    "conv_op": f"torch.nn.modules.conv.Conv{rank}d",
                    "kernel_sizes": kernels,
                    "strides": strides,
                    "n_blocks_per_stage" if residual else "n_conv_per_stage": [1] * stages,
                    "n_conv_per_stage_decoder": [1] * (stages - 1),
                    "conv_bias": True,
                    "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{rank}d",
                    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                    "dropout_op": None,
                    "dropout_op_kwargs": None,
                    "nonlin": "torch.nn.LeakyReLU",
                    "nonlin_kwargs": {"inplace": True},
                },
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
            "batch_dice": True,
        }
    )
    where = "2d" if rank == 2 else "3d_fullres"
    plans = {
        "dataset_name": "Dataset901_Golden",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [1.0, 1.0, 1.0],
        "original_median_shape_after_transp": [1] * (3 - rank) + patch,
        "image_reader_writer": "NaturalImage2DIO" if rank == 2 else "SimpleITKIO",
        "transpose_forward": transpose if rank == 3 else [0, 1, 2],
        "transpose_backward": [transpose.index(a) for a in range(3)] if rank == 3 else [0, 1, 2],
        "configurations": {where: configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {},
    }
    dataset = {"channel_names": {"0": "grey"}, "labels": labels}
    if order:
        dataset["regions_class_order"] = order
    dataset.update({"numTraining": 5, "file_ending": ".png" if rank == 2 else ".nii.gz"})

    for file, content in (("plans.json", plans), ("dataset.json", dataset)):
        with open(os.path.join(folder, file), "w") as stream:
            json.dump(content, stream, indent=1)

    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.99, nesterov=True, weight_decay=3e-5)
    network(torch.randn([1, channels] + patch)).square().mean().backward()
    optimizer.step()
    scores = [np.float64(0.25), np.float32(0.5)]
    torch.save(
        {
            "network_weights": OrderedDict((prefix + k, v) for k, v in network.state_dict().items()),
            "optimizer_state": optimizer.state_dict(),
            "grad_scaler_state": None,
            "logging": {
                "mean_fg_dice": scores,
                "ema_fg_dice": scores,
                "dice_per_class_or_region": [scores, scores],
                "train_losses": scores,
                "lrs": [0.01, 0.009],
                "epoch_start_timestamps": [1.5e9, 1.6e9],
            },
            "_best_ema": np.float64(0.5),
            "current_epoch": 2,
            "init_args": {
                "plans": plans,
                "configuration": where,
                "fold": 0,
                "dataset_json": dataset,
                "device": torch.device("cuda", 0),
            },
            "trainer_name": trainer,
            "inference_allowed_mirroring_axes": tuple(mirror),
        },
        os.path.join(folder, "fold_0", "checkpoint_final.pth"),
    )

    noise = np.random.default_rng(7).normal(size=[1] + whole)
    image = (np.round(100 * gaussian_filter(noise, [0] + [1.5] * rank)) + 200).astype(np.float32)
    image[(0, slice(0, 2))] = 0
    probabilities, map = predict(network, image, patch, mirror, transpose, order)
    shares = [(map == label).mean() for label in range(3)]
    assert min(shares) > 0.02, f"each label should be there: {shares}"
    for file, values in (("image", image[0]), ("probabilities", probabilities), ("labels", map)):
        np.save(os.path.join(folder, file + ".npy"), np.ascontiguousarray(values))


def network(seed, options):
    torch.manual_seed(seed)
    made = UNet(*options)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        # So that no output wins everywhere.
        head = made.decoder.seg_layers[-1]
        head.weight.sub_(head.weight.mean(1, keepdim=True)).mul_(3)
        head.bias.zero_()
    return made


options = (2, 1, 3, [4, 6, 8], [[3, 3]] * 3, [[1, 1], [2, 2], [2, 2]], False)
write(
    "plane", {"patch_size": [16, 24]}, network(1, options), options,
    {"background": 0, "vessel": 1, "nerve": 2}, None, [0, 1], [0, 1], [29, 45], "nnUNetTrainerSkeletonRecall", "",
)
options = (3, 1, 2, [3, 4], [[1, 3, 3], [3, 3, 3]], [[1, 1, 1], [1, 2, 2]], True)
write(
    "space", {"patch_size": [6, 10, 8]}, network(2, options), options,
    {"background": 0, "all": [1, 2], "core": 2}, [1, 2], [0, 2], [1, 0, 2], [11, 7, 13],
    "nnUNetTrainerDA5", "module._orig_mod.",
)

base = torch.arange(24.0)
odd = {
    "network_weights": OrderedDict(
        [
            ("transposed", base[:12].view(3, 4).t()),
            ("inner", base.view(4, 6)[1:3, 2:5]),
            ("shared", base[12:]),
            ("half", torch.tensor([0.5, -2.0, 65504.0], dtype=torch.float16)),
            ("bfloat16", torch.tensor([1.0, -3.5, 2.0**100], dtype=torch.bfloat16)),
            ("double", torch.tensor([[0.1, 1e-30]], dtype=torch.float64)),
            ("parameter", nn.Parameter(torch.tensor([3.0, 4.0]))),
            ("module.prefixed", torch.tensor([9.0])),
            ("scalar", torch.tensor(7.0)),
            ("empty", torch.zeros(0, 3)),
            ("single.row", torch.arange(6.0).view(2, 3)[1:2]),
        ]
    ),
    "counts": torch.tensor([1, 2, 3]),
    "plain": [None, True, False, 0, 255, 65535, -1, 2**40, -(2**70), 1.5, "größer", b"\x00\xff", {1, 2}, (), (1,)],
    "numpy": [np.float32(1.5), np.int64(-3), np.uint8(200), np.bool_(True), np.float16(0.5), np.arange(5), np.dtype(">f8")],
    "torch": [torch.Size([1, 2]), torch.device("cpu"), torch.float32],
    "inference_allowed_mirroring_axes": [np.int64(1), np.int64(0)],
    "current_epoch": 17,
}
odd["itself"] = odd["plain"]
odd["plain"].append(odd["plain"])
torch.save(odd, os.path.join(here, "odd.pth"))
torch.save(odd, os.path.join(here, "odd-protocol-4.pth"), pickle_protocol=4)
torch.save({"network_weights": {}}, os.path.join(here, "legacy.pth"), _use_new_zipfile_serialization=False)

# The same in an archive whose sizes and places stand in the fields for files beyond 4 GiB.
zipfile.ZIP64_LIMIT = -1
with zipfile.ZipFile(os.path.join(here, "odd.pth")) as source:
    with zipfile.ZipFile(os.path.join(here, "odd-zip64.pth"), "w") as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), source.read(name))
