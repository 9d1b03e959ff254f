"""Golden files of convolutions: conv.safetensors, conv_transposed.safetensors, conv_separable.safetensors."""
import torch
import torch.nn.functional as F

from goldenfile import GoldenFile


def same(size, kernel, stride, dilation):
    """TensorFlow's "same" padding: before, after."""
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - size)
    return total // 2, total - total // 2


def conv(f, name, x, w, bias=False, stride=(1, 1), dilation=(1, 1), pad=(0, 0, 0, 0), groups=1, pad_same=False):
    attrs = {"Stride": stride, "Dilation": dilation, "Groups": groups}
    if pad_same:
        attrs["Same"] = True
        t, b = same(x[2], w[2], stride[0], dilation[0])
        l, r = same(x[3], w[3], stride[1], dilation[1])
        pad = (t, b, l, r)
    else:
        attrs["Pad"] = pad
    t, b, l, r = pad
    inputs = [torch.randn(x), torch.randn(w)] + ([torch.randn(w[0])] if bias else [])
    f.add(name, attrs, inputs, lambda x, w, c=None: F.conv2d(F.pad(x, (l, r, t, b)), w, c, stride, 0, dilation, groups))


def transposed(f, name, x, w, bias=False, stride=(1, 1), dilation=(1, 1), pad=(0, 0), extra=(0, 0), groups=1):
    attrs = {"Stride": stride, "Dilation": dilation, "Groups": groups, "Pad": [pad[0], pad[0], pad[1], pad[1]], "OutputPad": extra}
    inputs = [torch.randn(x), torch.randn(w)] + ([torch.randn(w[1] * groups)] if bias else [])
    f.add(name, attrs, inputs, lambda x, w, c=None: F.conv_transpose2d(x, w, c, stride, pad, extra, groups, dilation))


f = GoldenFile()
conv(f, "plain", (2, 3, 6, 5), (4, 3, 3, 3))
conv(f, "bias", (2, 3, 6, 5), (4, 3, 3, 3), bias=True, pad=(1, 1, 1, 1))
conv(f, "1x1", (2, 5, 4, 3), (7, 5, 1, 1))
conv(f, "1x1 stride 2", (2, 5, 5, 4), (7, 5, 1, 1), stride=(2, 2))
conv(f, "1x7", (1, 3, 5, 9), (4, 3, 1, 7), pad=(0, 0, 3, 3))
conv(f, "7x1", (1, 3, 9, 5), (4, 3, 7, 1), pad=(3, 3, 0, 0))
conv(f, "stem 7x7 stride 2", (1, 3, 13, 14), (5, 3, 7, 7), stride=(2, 2), pad=(3, 3, 3, 3))
conv(f, "pad per side", (2, 3, 6, 5), (4, 3, 3, 2), pad=(0, 2, 1, 3), stride=(2, 1), bias=True)
conv(f, "same stride 1", (1, 3, 6, 5), (4, 3, 3, 2), pad_same=True)
conv(f, "same stride 2 even", (1, 3, 8, 6), (4, 3, 3, 3), pad_same=True, stride=(2, 2))
conv(f, "same stride 2 odd", (1, 3, 7, 5), (4, 3, 3, 3), pad_same=True, stride=(2, 2))
conv(f, "same dilated", (1, 2, 9, 8), (3, 2, 3, 3), pad_same=True, stride=(2, 1), dilation=(2, 2))
conv(f, "dilated", (2, 3, 9, 8), (4, 3, 3, 3), dilation=(2, 3))
conv(f, "groups", (2, 6, 5, 6), (4, 3, 3, 3), groups=2, pad=(1, 1, 1, 1), bias=True)
conv(f, "more than a panel", (1, 33, 3, 4), (35, 33, 1, 2))
conv(f, "channels no multiple", (1, 37, 3, 3), (9, 37, 3, 3), pad=(1, 1, 1, 1))
conv(f, "stride larger than kernel", (2, 3, 9, 8), (4, 3, 2, 2), stride=(4, 3))
conv(f, "1x1 picture", (1, 3, 1, 1), (4, 3, 3, 3), pad=(1, 1, 1, 1))
conv(f, "batch 1 kernel as large as picture", (1, 3, 4, 4), (4, 3, 4, 4))
conv(f, "depthwise", (2, 5, 7, 6), (5, 1, 3, 3), groups=5, pad=(1, 1, 1, 1))
conv(f, "depthwise stride 2 multiplier 2", (2, 5, 7, 6), (10, 1, 3, 3), groups=5, pad=(1, 1, 1, 1), stride=(2, 2), bias=True)
conv(f, "depthwise dilated 5x3", (1, 4, 12, 9), (4, 1, 5, 3), groups=4, dilation=(2, 2), pad=(2, 1, 0, 3))
conv(f, "winograd size", (1, 8, 10, 10), (8, 8, 3, 3), pad=(1, 1, 1, 1))
f.write("conv.safetensors")

f = GoldenFile()
transposed(f, "plain", (2, 3, 4, 5), (3, 4, 3, 3))
transposed(f, "dcgan 4x4 stride 2", (2, 6, 4, 4), (6, 5, 4, 4), stride=(2, 2), pad=(1, 1))
transposed(f, "dcgan first", (2, 7, 1, 1), (7, 6, 4, 4))
transposed(f, "output padding", (1, 3, 4, 5), (3, 4, 3, 3), stride=(2, 3), pad=(1, 1), extra=(1, 2), bias=True)
transposed(f, "output padding by dilation", (1, 3, 4, 5), (3, 4, 3, 2), stride=(2, 1), dilation=(3, 2), extra=(2, 1))
transposed(f, "dilation", (1, 3, 4, 5), (3, 4, 3, 2), dilation=(2, 3), pad=(2, 1))
transposed(f, "groups", (2, 6, 3, 4), (6, 2, 3, 3), stride=(2, 2), pad=(1, 1), extra=(1, 1), groups=3, bias=True)
transposed(f, "depthwise", (2, 4, 3, 4), (4, 1, 3, 3), stride=(2, 2), groups=4)
transposed(f, "one group each, two outputs", (2, 4, 3, 4), (4, 2, 3, 3), stride=(2, 1), groups=4)
transposed(f, "stride larger than kernel", (1, 3, 3, 2), (3, 2, 2, 1), stride=(3, 4))
transposed(f, "asymmetric kernel", (1, 3, 4, 5), (3, 4, 1, 5), stride=(1, 2), pad=(0, 2))
f.write("conv_transposed.safetensors")

f = GoldenFile()
for name, x, m, k, bias, stride, pad in [
    ("plain", (2, 3, 6, 5), 1, 4, False, (1, 1), (1, 1)),
    ("multiplier 3, stride 2, bias", (2, 3, 7, 6), 3, 5, True, (2, 2), (0, 1)),
]:
    c = x[1]
    inputs = [torch.randn(x), torch.randn(c * m, 1, 3, 3), torch.randn(k, c * m, 1, 1)] + ([torch.randn(k)] if bias else [])
    attrs = {"Stride": stride, "Pad": [pad[0], pad[0], pad[1], pad[1]]}
    f.add(name, attrs, inputs, lambda x, d, p, b=None: F.conv2d(F.conv2d(x, d, None, stride, pad, 1, c), p, b))
f.write("conv_separable.safetensors")
