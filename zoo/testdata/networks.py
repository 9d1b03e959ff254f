"""Networks that torchvision lacks, or has otherwise, written in PyTorch from the publications.

Names are timm's (facenet-pytorch's for Inception-ResNet-v1's trunk). Keras's versions are after keras-applications
1.0.8 and Keras 2: padding as TensorFlow's, and the epsilons and momenta in its sources.
"""
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models


def norm(keras=False, eps=1e-3, momentum=0.01):
    """Makes of batch norms. Keras's momentum is 1 less PyTorch's."""
    return lambda c: nn.BatchNorm2d(c, eps=eps, momentum=momentum if keras else 0.1)


def same_pad(x, kernel, stride, value=0.0):
    """TensorFlow's padding "same": as much as is needed, the odd pixel below and to the right."""
    pads = []
    for n in reversed(x.shape[2:]):
        total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


class Same(nn.Conv2d):
    def forward(self, x):
        return super().forward(same_pad(x, self.kernel_size[0], self.stride[0]))


class SamePool(nn.Module):
    def forward(self, x):
        return F.max_pool2d(same_pad(x, 3, 2, -float("inf")), 3, 2)


class Corner(nn.Conv2d):
    """Zeros below and to the right alone."""

    def forward(self, x):
        return super().forward(F.pad(x, (0, 1, 0, 1)))


class Unit(nn.Module):
    """Convolution, batch norm and ReLU; padded to the same size where pad is not given."""

    def __init__(self, cin, cout, k, stride=1, pad=None, bn=norm()):
        super().__init__()
        k = k if isinstance(k, tuple) else (k, k)
        pad = (k[0] // 2, k[1] // 2) if pad is None else pad
        self.conv = nn.Conv2d(cin, cout, k, stride, pad, bias=False)
        self.bn = bn(cout)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Cat(nn.Module):
    def __init__(self, first, *branches):
        """first: the number in the first branch's name."""
        super().__init__()
        for i, b in enumerate(branches):
            self.add_module(f"branch{first + i}", b)

    def forward(self, x):
        return torch.cat([b(x) for n, b in self._modules.items() if n.startswith("branch")], 1)


class Join(Cat):
    """A residual block of Inception-ResNet."""

    def __init__(self, cin, mid, scale, relu, *branches):
        super().__init__(0, *branches)
        self.conv2d = nn.Conv2d(mid, cin, 1)
        self.scale, self.relu = scale, relu

    def forward(self, x):
        x = x + self.scale * self.conv2d(super().forward(x))
        return F.relu(x) if self.relu else x


def mean_pool():
    return nn.AvgPool2d(3, 1, 1, count_include_pad=False)


class InceptionResNet(nn.Module):
    def __init__(self, version, channels, classes, keras=False):
        super().__init__()
        U = lambda cin, cout, k, stride=1, pad=None: Unit(cin, cout, k, stride, pad, norm(keras))
        seq = nn.Sequential
        self.conv2d_1a, self.conv2d_2a, self.conv2d_2b = U(channels, 32, 3, 2, 0), U(32, 32, 3, 1, 0), U(32, 64, 3)
        self.pool = nn.MaxPool2d(3, 2)
        self.conv2d_3b, self.conv2d_4a = U(64, 80, 1), U(80, 192, 3, 1, 0)
        self.order = ["conv2d_1a", "conv2d_2a", "conv2d_2b", "pool", "conv2d_3b", "conv2d_4a"]
        c, mid, last, n = (320, 48, 64, (10, 20, 9)) if version == 2 else (256, 32, 32, (5, 10, 5))
        if version == 2:
            self.mixed_5b = Cat(0, U(192, 96, 1), seq(U(192, 48, 1), U(48, 64, 5)),
                                seq(U(192, 64, 1), U(64, 96, 3), U(96, 96, 3)), seq(mean_pool(), U(192, 64, 1)))
            names = ["repeat", "repeat_1", "repeat_2"]
            self.order += ["pool", "mixed_5b"]
        else:
            self.conv2d_4b = U(192, 256, 3, 2, 0)
            names = ["repeat_1", "repeat_2", "repeat_3"]
            self.order += ["conv2d_4b"]
        self.add_module(names[0], seq(*[
            Join(c, 64 + last, 0.17, True, U(c, 32, 1), seq(U(c, 32, 1), U(32, 32, 3)), seq(U(c, 32, 1), U(32, mid, 3), U(mid, last, 3)))
            for _ in range(n[0])]))
        k, l, m = (256, 256, 384) if version == 2 else (192, 192, 256)
        self.mixed_6a = Cat(0, U(c, 384, 3, 2, 0), seq(U(c, k, 1), U(k, l, 3), U(l, m, 3, 2, 0)), nn.MaxPool2d(3, 2))
        c += 384 + m
        one, mid, last = (192, 160, 192) if version == 2 else (128, 128, 128)
        self.add_module(names[1], seq(*[
            Join(c, one + last, 0.1, True, U(c, one, 1), seq(U(c, 128, 1), U(128, mid, (1, 7)), U(mid, last, (7, 1))))
            for _ in range(n[1])]))
        one, mid, last = (288, 288, 320) if version == 2 else (256, 256, 256)
        self.mixed_7a = Cat(0, seq(U(c, 256, 1), U(256, 384, 3, 2, 0)), seq(U(c, 256, 1), U(256, one, 3, 2, 0)),
                            seq(U(c, 256, 1), U(256, mid, 3), U(mid, last, 3, 2, 0)), nn.MaxPool2d(3, 2))
        c += 384 + one + last
        mid, last = (224, 256) if version == 2 else (192, 192)
        block = lambda scale, relu: Join(c, 192 + last, scale, relu, U(c, 192, 1),
                                         seq(U(c, 192, 1), U(192, mid, (1, 3)), U(mid, last, (3, 1))))
        self.add_module(names[2], seq(*[block(0.2, True) for _ in range(n[2])]))
        self.block8 = block(1, False)
        self.order += [names[0], "mixed_6a", names[1], "mixed_7a", names[2], "block8"]
        if version == 2:
            self.conv2d_7b = U(c, 1536, 1)
            self.order += ["conv2d_7b"]
            c = 1536
        self.classif = nn.Linear(c, classes)

    def forward(self, x):
        for name in self.order:
            x = getattr(self, name)(x)
        return self.classif(x.mean((2, 3)))


class FaceNet(InceptionResNet):
    """Version 1 with an embedding of 512 numbers before the classifier."""

    def __init__(self, channels, classes):
        super().__init__(1, channels, classes)
        del self.classif
        self.last_linear, self.last_bn = nn.Linear(1792, 512, bias=False), nn.BatchNorm1d(512, eps=1e-3)
        self.logits = nn.Linear(512, classes)

    def forward(self, x):
        for name in self.order:
            x = getattr(self, name)(x)
        return self.logits(self.last_bn(self.last_linear(x.mean((2, 3)))))


class V4Mix(nn.Module):
    def __init__(self, conv, first):
        super().__init__()
        self.conv, self.first = conv, first

    def forward(self, x):
        pool = F.max_pool2d(x, 3, 2)
        return torch.cat([self.conv(x), pool] if self.first else [pool, self.conv(x)], 1)


class V4C(nn.Module):
    def __init__(self):
        super().__init__()
        self.branch0 = Unit(1536, 256, 1)
        self.branch1_0, self.branch1_1a, self.branch1_1b = Unit(1536, 384, 1), Unit(384, 256, (1, 3)), Unit(384, 256, (3, 1))
        self.branch2_0, self.branch2_1, self.branch2_2 = Unit(1536, 384, 1), Unit(384, 448, (3, 1)), Unit(448, 512, (1, 3))
        self.branch2_3a, self.branch2_3b = Unit(512, 256, (1, 3)), Unit(512, 256, (3, 1))
        self.branch3 = nn.Sequential(mean_pool(), Unit(1536, 256, 1))

    def forward(self, x):
        a, b = self.branch1_0(x), self.branch2_2(self.branch2_1(self.branch2_0(x)))
        return torch.cat([self.branch0(x), self.branch1_1a(a), self.branch1_1b(a), self.branch2_3a(b), self.branch2_3b(b), self.branch3(x)], 1)


class InceptionV4(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        U, seq = Unit, nn.Sequential
        tall, flat = (7, 1), (1, 7)
        a = lambda: Cat(0, U(384, 96, 1), seq(U(384, 64, 1), U(64, 96, 3)), seq(U(384, 64, 1), U(64, 96, 3), U(96, 96, 3)), seq(mean_pool(), U(384, 96, 1)))
        b = lambda: Cat(0, U(1024, 384, 1), seq(U(1024, 192, 1), U(192, 224, flat), U(224, 256, tall)),
                        seq(U(1024, 192, 1), U(192, 192, tall), U(192, 224, flat), U(224, 224, tall), U(224, 256, flat)), seq(mean_pool(), U(1024, 128, 1)))
        self.features = seq(
            U(channels, 32, 3, 2, 0), U(32, 32, 3, 1, 0), U(32, 64, 3), V4Mix(U(64, 96, 3, 2, 0), False),
            Cat(0, seq(U(160, 64, 1), U(64, 96, 3, 1, 0)), seq(U(160, 64, 1), U(64, 64, flat), U(64, 64, tall), U(64, 96, 3, 1, 0))),
            V4Mix(U(192, 192, 3, 2, 0), True), a(), a(), a(), a(),
            Cat(0, U(384, 384, 3, 2, 0), seq(U(384, 192, 1), U(192, 224, 3), U(224, 256, 3, 2, 0)), nn.MaxPool2d(3, 2)),
            b(), b(), b(), b(), b(), b(), b(),
            Cat(0, seq(U(1024, 192, 1), U(192, 192, 3, 2, 0)), seq(U(1024, 256, 1), U(256, 256, flat), U(256, 320, tall), U(320, 320, 3, 2, 0)), nn.MaxPool2d(3, 2)),
            V4C(), V4C(), V4C())
        self.last_linear = nn.Linear(1536, classes)

    def forward(self, x):
        return self.last_linear(self.features(x).mean((2, 3)))


class BNInception(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        U, seq = Unit, nn.Sequential
        self.conv1, self.conv2, self.conv3 = U(channels, 64, 7, 2), U(64, 64, 1), U(64, 192, 3)
        c, self.blocks = 192, []
        for name, one, three0, three, double0, double, pool in [
            ("3a", 64, 64, 64, 64, 96, 32), ("3b", 64, 64, 96, 64, 96, 64), ("3c", 0, 128, 160, 64, 96, 0),
            ("4a", 224, 64, 96, 96, 128, 128), ("4b", 192, 96, 128, 96, 128, 128), ("4c", 160, 128, 160, 128, 160, 96),
            ("4d", 96, 128, 192, 160, 192, 96), ("4e", 0, 128, 192, 192, 256, 0),
            ("5a", 352, 192, 320, 160, 224, 128), ("5b", 352, 192, 320, 192, 224, 128),
        ]:
            s = 1 if one else 2
            branches = [seq(U(c, three0, 1), U(three0, three, 3, s)), seq(U(c, double0, 1), U(double0, double, 3), U(double, double, 3, s))]
            if one:
                last = nn.MaxPool2d(3, 1, 1) if name == "5b" else mean_pool()
                block = Cat(1, U(c, one, 1), *branches, seq(last, U(c, pool, 1)))
                c = one + three + double + pool
            else:
                block = Cat(2, *branches, nn.MaxPool2d(3, 2, 1))
                c += three + double
            self.blocks.append("inception" + name)
            self.add_module("inception" + name, block)
        self.fc = nn.Linear(c, classes)

    def forward(self, x):
        half = lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)
        x = half(self.conv3(self.conv2(half(self.conv1(x)))))
        for b in self.blocks:
            x = getattr(self, b)(x)
        return self.fc(x.mean((2, 3)))


class Separable(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv1, self.pointwise = nn.Conv2d(cin, cin, 3, 1, 1, groups=cin, bias=False), nn.Conv2d(cin, cout, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.conv1(x))


class XceptionBlock(nn.Module):
    def __init__(self, bn, keras, widths, stride, relu=True):
        super().__init__()
        rep = []
        for i, (cin, cout) in enumerate(zip(widths, widths[1:])):
            rep += ([nn.ReLU()] if relu or i else []) + [Separable(cin, cout), bn(cout)]
        self.skip = None
        if stride == 2:
            rep.append(SamePool() if keras else nn.MaxPool2d(3, 2, 1))
            self.skip, self.skipbn = nn.Conv2d(widths[0], widths[-1], 1, 2, bias=False), bn(widths[-1])
        self.rep = nn.Sequential(*rep)

    def forward(self, x):
        return self.rep(x) + (x if self.skip is None else self.skipbn(self.skip(x)))


class Xception(nn.Module):
    def __init__(self, channels, classes, keras=False, small=False):
        """small: half of the channels, half of the middle blocks, and a first convolution of stride 1."""
        super().__init__()
        bn = norm(True) if keras else norm(eps=1e-5)
        half = 2 if small else 1
        self.conv1, self.bn1 = nn.Conv2d(channels, 32 // half, 3, 2 // half, bias=False), bn(32 // half)
        self.conv2, self.bn2 = nn.Conv2d(32 // half, 64 // half, 3, bias=False), bn(64 // half)
        widths = [(64, 128, 128), (128, 256, 256), (256, 728, 728)] + 8 // half * [4 * (728,)] + [(728, 728, 1024)]
        widths = [tuple(w // half for w in block) for block in widths]
        self.count = len(widths)
        for i, w in enumerate(widths):
            self.add_module(f"block{i + 1}", XceptionBlock(bn, keras, w, 2 if len(w) == 3 else 1, i > 0))
        self.conv3, self.bn3 = Separable(1024 // half, 1536 // half), bn(1536 // half)
        self.conv4, self.bn4 = Separable(1536 // half, 2048 // half), bn(2048 // half)
        self.fc = nn.Linear(2048 // half, classes)

    def forward(self, x):
        x = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        for i in range(self.count):
            x = getattr(self, f"block{i + 1}")(x)
        x = F.relu(self.bn4(self.conv4(F.relu(self.bn3(self.conv3(x))))))
        return self.fc(x.mean((2, 3)))


class Preact(nn.Module):
    def __init__(self, cin, planes, stride, project, keras, bn):
        super().__init__()
        conv = lambda a, b, k, s=1, bias=False: nn.Conv2d(a, b, k, s, k // 2, bias=bias)
        self.norm1, self.norm2, self.norm3 = bn(cin), bn(planes), bn(planes)
        self.conv1, self.conv2, self.conv3 = conv(cin, planes, 1), conv(planes, planes, 3, stride), conv(planes, 4 * planes, 1, bias=keras)
        self.stride, self.downsample = stride, None
        if project:
            self.downsample = nn.Module()
            self.downsample.conv = conv(cin, 4 * planes, 1, stride, keras)

    def forward(self, x):
        y = F.relu(self.norm1(x))
        short = x[:, :, :: self.stride, :: self.stride] if self.downsample is None else self.downsample.conv(y)
        return short + self.conv3(F.relu(self.norm3(self.conv2(F.relu(self.norm2(self.conv1(y)))))))


class ResNetV2(nn.Module):
    def __init__(self, channels, classes, keras=False, blocks=(3, 4, 6, 3)):
        super().__init__()
        bn = norm(True, 1.001e-5) if keras else norm(eps=1e-5)
        self.keras = keras
        self.stem, self.head = nn.Module(), nn.Module()
        self.stem.conv = nn.Conv2d(channels, 64, 7, 2, 3, bias=keras)
        stages, cin = [], 64
        for i, n in enumerate(blocks):
            stage, made = nn.Module(), []
            for k in range(n):
                stride = 2 if (i < 3 and k == n - 1 if keras else i > 0 and k == 0) else 1
                made.append(Preact(cin, 64 << i, stride, k == 0, keras, bn))
                cin = 256 << i
            stage.blocks = nn.Sequential(*made)
            stages.append(stage)
        self.stages = nn.ModuleList(stages)
        self.norm = bn(2048)
        self.head.fc = nn.Conv2d(2048, classes, 1)

    def forward(self, x):
        x = self.stem.conv(x)
        x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2) if self.keras else F.max_pool2d(x, 3, 2, 1)
        for s in self.stages:
            x = s.blocks(x)
        return self.head.fc(F.relu(self.norm(x)).mean((2, 3), keepdim=True)).flatten(1)


class MobileBlock(nn.Module):
    def __init__(self, cin, cout, stride, keras, bn):
        super().__init__()
        kind, pad = (Corner, 0) if keras and stride == 2 else (nn.Conv2d, 1)
        self.conv_dw, self.bn1 = kind(cin, cin, 3, stride, pad, groups=cin, bias=False), bn(cin)
        self.conv_pw, self.bn2 = nn.Conv2d(cin, cout, 1, bias=False), bn(cout)

    def forward(self, x):
        return F.relu6(self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(x))))))


class MobileNetV1(nn.Module):
    def __init__(self, channels, classes, keras=False):
        super().__init__()
        bn = norm(True) if keras else norm(eps=1e-5)
        self.conv_stem = Same(channels, 32, 3, 2, bias=False) if keras else nn.Conv2d(channels, 32, 3, 2, 1, bias=False)
        self.bn1 = bn(32)
        stages, cin = [], 32
        for i, n in enumerate((1, 2, 2, 6, 2)):
            blocks = []
            for k in range(n):
                blocks.append(MobileBlock(cin, 64 << i, 2 if i and not k else 1, keras, bn))
                cin = 64 << i
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.classifier = nn.Linear(cin, classes)

    def forward(self, x):
        return self.classifier(self.blocks(F.relu6(self.bn1(self.conv_stem(x)))).mean((2, 3)))


def as_keras(model, eps, momentum, same=(), bias=False):
    """Changes torchvision's batch norms, gives convolutions biases, and those of stride 2 TensorFlow's padding."""
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.eps, m.momentum = eps, momentum
        for name, c in list(m._modules.items()):
            if not isinstance(c, nn.Conv2d):
                continue
            kind, pad = (Same, 0) if same and c.stride[0] == 2 else (nn.Conv2d, c.padding)
            m._modules[name] = kind(c.in_channels, c.out_channels, c.kernel_size, c.stride, pad, groups=c.groups, bias=bias)
    return model


def first_channels(model, channels):
    """Another number of channels for the first convolution of one of torchvision's networks."""
    for m in model.modules():
        for name, c in m._modules.items():
            if isinstance(c, nn.Conv2d):
                m._modules[name] = nn.Conv2d(channels, c.out_channels, c.kernel_size, c.stride, c.padding, bias=c.bias is not None)
                return model


def torchvision(name, channels, classes):
    return first_channels(getattr(models, name)(num_classes=classes), channels)
