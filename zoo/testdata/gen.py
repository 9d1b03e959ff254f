"""References for other networks and sizes than their own: python3 gen.py, in this folder.

Written with PyTorch 1.13.1 and torchvision 0.14.1, float64. What torchvision lacks is its networks with other
strides, paddings or blocks, or is in networks.py. Each case has a NAME_HxW.tensors.tsv and a
NAME_HxW.expected.safetensors, as reference_test.go reads them. Values come from u01(t, i), as in fill_test.go. Names
on the command line write only the cases that begin so.
"""
import copy
import json
import struct
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models
from torchvision.models.googlenet import Inception

import networks

warnings.simplefilter("ignore")

CLASSES = 10


def u01(t, n):
    with np.errstate(over="ignore"):
        z = np.uint64(t << 40) + np.arange(n, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z ^= z >> np.uint64(30)
        z *= np.uint64(0xBF58476D1CE4E5B9)
        z ^= z >> np.uint64(27)
        z *= np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / 2**53


def fill(state, calm, seed):
    for t, (name, v) in enumerate(state.items()):
        u = u01(seed + t, v.numel())
        if v.dim() > 1:
            x = (2 * u - 1) * np.sqrt(6 / (v.numel() / v.shape[0]))
        elif name.endswith("running_var"):
            x = 0.5 + u
        elif is_norm(name, state) and name.endswith(".weight"):
            x = (0.5 + u) * (0.2 if calm and name.endswith(calm) else 1)
        else:
            x = (2 * u - 1) * 0.1
        v.copy_(torch.from_numpy(x.reshape(v.shape)))


def is_norm(name, state):
    return name.rsplit(".", 1)[0] + ".running_mean" in state


def save(path, tensors):
    header, data, at = {}, b"", 0
    for name, v in tensors.items():
        raw = np.ascontiguousarray(v.detach().numpy().reshape(-1), dtype="<f8").tobytes()
        header[name] = {"dtype": "F64", "shape": list(v.shape) or [1], "data_offsets": [at, at + len(raw)]}
        data += raw
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def rounding(state_of, x, loss_of):
    """How far PyTorch's float32 is from its float64, with its sums in three orders: the largest distance of the output
    in training, of its scale, and of a gradient's norm."""
    def step(dtype, layout=torch.contiguous_format, mkldnn=True):
        model = state_of().to(dtype).to(memory_format=layout).train()
        with torch.backends.mkldnn.flags(enabled=mkldnn):
            out = model(x.to(dtype).contiguous(memory_format=layout))
            loss_of(out).backward()
        return out.double(), torch.stack([p.grad.double().norm() for p in model.parameters()])

    exact, norms = step(torch.float64)
    there = norms > 1e-12 * norms.max()
    worst = torch.zeros(2, dtype=torch.float64)
    for how in [{}, {"layout": torch.channels_last}, {"mkldnn": False}]:
        out, n = step(torch.float32, **how)
        worst = torch.maximum(worst, torch.stack([(out - exact).abs().max() / exact.abs().max(), ((n - norms).abs() / norms)[there].max()]))
    return worst


def run(name, height, width, calm=None, make=None, skip=(), keras=False, channels=3, seed=0, few=False):
    """skip: ends of names of tensors that the network here lacks; they are 1. seed: the number of the first tensor.
    few: batch norms see so few pixels that float32 is far off; say how far."""
    if len(sys.argv) > 1 and not name.startswith(tuple(sys.argv[1:])):
        return
    model = make() if make else getattr(models, name)(num_classes=CLASSES)
    model = model.double()
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    for k in [k for k in state if is_norm(k, state) and k.endswith(skip)]:
        state.pop(k).fill_(1)
    fill(state, calm, seed)
    for m in model.modules():
        if isinstance(m, nn.Dropout):
            m.p = 0
    x = torch.from_numpy((2 * u01(1000003, 2 * channels * height * width) - 1).reshape(2, channels, height, width))
    tensors = {}
    with torch.no_grad():
        tensors["eval_output"] = model.eval()(x)
    if few:
        labels = torch.tensor([7, 3]) % tensors["eval_output"].shape[1]
        tensors["float32"] = rounding(lambda: copy.deepcopy(model), x, lambda out: F.cross_entropy(out, labels))
    out = model.train()(x)
    out, *aux = out if isinstance(out, tuple) else (out,)
    labels = torch.tensor([7, 3]) % out.shape[1]
    loss = F.cross_entropy(out, labels) + sum(0.3 * F.cross_entropy(a, labels) for a in aux)
    loss.backward()
    tensors["train_output"], tensors["train_loss"] = out, loss
    grads = {k: p.grad.numpy().reshape(-1) for k, p in model.named_parameters()}
    stem = f"{name}_{height}x{width}"
    save(stem + ".expected.safetensors", tensors)
    with open(stem + ".tensors.tsv", "w") as f:
        f.write("# t\tname\tshape\tkind\tnumel\tgrad_l2\tgrad_sum\tgrad_first\trunning_after_first\n")
        for t, (k, v) in enumerate(state.items()):
            row = [seed + t, k, "x".join(map(str, v.shape)), "", v.numel(), "", "", "", ""]
            if k in grads:
                g = grads[k]
                row[5:8] = ["%.12g" % a for a in (np.sqrt((g * g).sum()), g.sum(), g[0])]
            elif not (keras and k.endswith("running_var")):  # Keras's variance is biased
                row[8] = "%.12g" % v.reshape(-1)[0].item()
            f.write("\t".join(map(str, row)) + "\n")
    print(stem, float(loss))


def resnet_v1(name="resnet50"):
    """The paper's placement of strides."""
    model = getattr(models, name)(num_classes=CLASSES)
    for m in model.modules():
        if hasattr(m, "conv3"):
            m.conv1.stride, m.conv2.stride = m.conv2.stride, (1, 1)
    return model


class Plain(nn.Module):
    def __init__(self, in_channels, out_channels, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, **kwargs)

    def forward(self, x):
        return F.relu(self.conv(x))


class PlainInception(Inception):
    def __init__(self, cin, one, three0, three, five0, five, pool):
        super().__init__(cin, one, three0, three, five0, five, pool, Plain)
        self.branch3[1] = Plain(five0, five, kernel_size=5, padding=2)


class PlainAux(nn.Module):
    def __init__(self, cin, classes, dropout=0.7):
        super().__init__()
        self.conv = Plain(cin, 128, kernel_size=1)
        self.fc1 = nn.Linear(128 * 2 * 2, 1024)  # for pictures of 97 by 129
        self.fc2 = nn.Linear(1024, classes)

    def forward(self, x):
        x = self.conv(F.avg_pool2d(x, 5, 3, ceil_mode=True))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def googlenet_bvlc():
    """As published: biases, 5x5, local response norms, 3x3 in the last pooling."""
    model = models.GoogLeNet(CLASSES, init_weights=False, blocks=[Plain, PlainInception, PlainAux])
    model.maxpool1 = nn.Sequential(model.maxpool1, nn.LocalResponseNorm(5))
    model.maxpool2 = nn.Sequential(nn.LocalResponseNorm(5), model.maxpool2)
    model.maxpool4 = nn.MaxPool2d(3, 2, ceil_mode=True)
    return model


def inception_v3(keras=False):
    model = models.Inception3(CLASSES, aux_logits=False, init_weights=False)
    if keras:
        models.inception.F.avg_pool2d = lambda x, **k: mean_pool(x, count_include_pad=False, **k)
        for m in model.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.momentum = 0.01
    return model


mean_pool = F.avg_pool2d


class OptionA(nn.Module):
    """Block of the paper's section 4.2."""

    def __init__(self, cin, planes, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(cin, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False), nn.BatchNorm2d(planes)
        self.stride, self.side = stride, (planes - cin) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        short = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.side, self.side))
        return F.relu(y + short)


class CifarResNet(nn.Module):
    def __init__(self, n=3, channels=3):
        super().__init__()
        stage = lambda cin, planes, stride: nn.Sequential(OptionA(cin, planes, stride), *[OptionA(planes, planes, 1) for _ in range(n - 1)])
        self.conv1, self.bn1 = nn.Conv2d(channels, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = stage(16, 16, 1), stage(16, 32, 2), stage(32, 64, 2)
        self.linear = nn.Linear(64, CLASSES)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


run("resnet34", 49, 65, ".bn2.weight")
run("resnet50", 65, 40, ".bn3.weight")
run("resnet50_v1", 65, 40, ".bn3.weight", resnet_v1)
run("cifar_resnet20", 31, 20, ".bn2.weight", CifarResNet)
run("googlenet", 97, 129, make=lambda: models.GoogLeNet(CLASSES, init_weights=False))
run("googlenet_bvlc", 97, 129, make=googlenet_bvlc)
run("inception_v3", 139, 155, make=inception_v3)
run("squeezenet1_0", 65, 81)
run("squeezenet1_1", 64, 49)
run("mobilenet_v2", 97, 65)
run("vgg11_bn", 39, 64)
for name, height, width, channels, classes, seed, make in [
    ("resnet18", 33, 52, 1, 5, 1000, lambda c, k: networks.torchvision("resnet18", c, k)),
    ("resnext50_32x4d", 41, 70, 4, 10, 2000, lambda c, k: networks.torchvision("resnext50_32x4d", c, k)),
    ("wide_resnet50_2", 34, 49, 3, 10, 0, lambda c, k: networks.torchvision("wide_resnet50_2", c, k)),
    ("vgg13", 35, 50, 1, 10, 0, lambda c, k: networks.torchvision("vgg13", c, k)),
    ("mobilenet_v1", 47, 65, 1, 10, 0, networks.MobileNetV1),
    ("resnetv2_50", 63, 45, 4, 10, 3000, networks.ResNetV2),
    ("xception", 71, 98, 3, 7, 0, networks.Xception),
    ("bn_inception", 63, 80, 4, 10, 0, networks.BNInception),
    ("inception_v4", 171, 155, 3, 10, 4000, networks.InceptionV4),
    ("inception_resnet_v1", 139, 124, 1, 10, 0, lambda c, k: networks.InceptionResNet(1, c, k)),
    ("inception_resnet_v2", 107, 124, 4, 10, 5000, lambda c, k: networks.InceptionResNet(2, c, k)),
    ("inception_v4", 203, 235, 3, 10, 6000, networks.InceptionV4),
    ("facenet", 139, 107, 3, 12, 1000, networks.FaceNet),
    ("xception_small", 51, 74, 1, 10, 0, lambda c, k: networks.Xception(c, k, small=True)),
    ("resnetv2_101", 45, 62, 3, 10, 0, lambda c, k: networks.ResNetV2(c, k, blocks=(3, 4, 23, 3))),
    ("resnetv2_152", 62, 45, 1, 10, 0, lambda c, k: networks.ResNetV2(c, k, blocks=(3, 8, 36, 3))),
    ("cifar_resnet32", 21, 34, 1, 10, 100, lambda c, k: CifarResNet(5, c)),
    ("cifar_resnet44", 32, 19, 4, 10, 200, lambda c, k: CifarResNet(7, c)),
    ("cifar_resnet56", 27, 30, 3, 10, 300, lambda c, k: CifarResNet(9, c)),
    ("cifar_resnet110", 20, 25, 3, 10, 400, lambda c, k: CifarResNet(18, c)),
    ("resnet101", 97, 131, 3, 10, 1000, lambda c, k: networks.torchvision("resnet101", c, k)),
    ("resnet152", 41, 70, 1, 10, 2000, lambda c, k: networks.torchvision("resnet152", c, k)),
    ("resnext101_32x8d", 35, 64, 3, 10, 0, lambda c, k: networks.torchvision("resnext101_32x8d", c, k)),
    ("resnext101_64x4d", 64, 35, 3, 10, 1000, lambda c, k: networks.torchvision("resnext101_64x4d", c, k)),
    ("wide_resnet101_2", 33, 47, 3, 10, 0, lambda c, k: networks.torchvision("wide_resnet101_2", c, k)),
    ("mobilenet_v2", 131, 97, 4, 10, 1000, lambda c, k: networks.torchvision("mobilenet_v2", c, k)),
    ("squeezenet1_1", 97, 131, 1, 10, 1000, lambda c, k: networks.torchvision("squeezenet1_1", c, k)),
    ("vgg13_bn", 33, 65, 3, 10, 0, lambda c, k: networks.torchvision("vgg13_bn", c, k)),
]:
    calm = ".bn2.weight" if name in ("resnet18", "resnet34") or name.startswith("cifar") else None
    if name.startswith(("resnet1", "resnext", "wide")) and not calm:
        calm = ".bn3.weight"
    if name.startswith("xception"):
        calm = ".rep.8.weight"
    run(name, height, width, calm, lambda: make(channels, classes), channels=channels, seed=seed)
run("resnet101_v1", 47, 62, ".bn3.weight", lambda: resnet_v1("resnet101"))
run("resnet101_keras", 46, 63, ".bn3.weight", lambda: networks.as_keras(resnet_v1("resnet101"), 1.001e-5, 0.01, bias=True), keras=True)
run("resnet101v2_keras", 63, 46, make=lambda: networks.ResNetV2(3, CLASSES, True, (3, 4, 23, 3)), keras=True)
# Few pixels for the last batch norms.
run("inception_v4", 107, 90, make=lambda: networks.InceptionV4(3, CLASSES), seed=4000, few=True)
run("mobilenet_v1_keras", 50, 47, make=lambda: networks.MobileNetV1(3, CLASSES, True), keras=True, few=True)
run("inception_resnet_v1", 101, 92, make=lambda: networks.InceptionResNet(1, 3, CLASSES), few=True)
run("inception_resnet_v2_keras", 80, 107, make=lambda: networks.InceptionResNet(2, 3, CLASSES, True), skip=(".weight",), keras=True, few=True)
run("mobilenet_v1_keras", 98, 95, make=lambda: networks.MobileNetV1(3, CLASSES, True), keras=True)
run("mobilenet_v2_keras", 47, 66, make=lambda: networks.as_keras(models.mobilenet_v2(num_classes=CLASSES), 1e-3, 0.001, same=True), keras=True)
run("resnet50_keras", 47, 62, ".bn3.weight", lambda: networks.as_keras(resnet_v1(), 1.001e-5, 0.01, bias=True), keras=True)
run("resnet50v2_keras", 45, 62, make=lambda: networks.ResNetV2(3, CLASSES, True), keras=True)
run("xception_keras", 72, 99, ".rep.8.weight", lambda: networks.Xception(3, CLASSES, True), keras=True)
run("inception_resnet_v2_keras", 124, 139, make=lambda: networks.InceptionResNet(2, 3, CLASSES, True), skip=(".weight",), keras=True)
# Last, as it changes avg_pool2d for all.
run("inception_v3_keras", 139, 155, make=lambda: inception_v3(True), skip=(".weight",), keras=True)
