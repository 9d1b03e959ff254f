"""Golden files of pooling: pool_max.safetensors, pool_avg.safetensors, pool_other.safetensors."""
import torch
import torch.nn.functional as F

from goldenfile import GoldenFile


def distinct(*shape):
    """No two values are equal, so that largest values and their gradients are decided."""
    n = torch.Size(shape).numel()
    return (torch.randperm(n).double() - n / 2).reshape(shape) / n


def padded(x, pad, value):
    t, b, l, r = pad
    return F.pad(x, (l, r, t, b), value=value)


def max_pool(f, name, x, kernel, stride=None, pad=(0, 0, 0, 0), dilation=(1, 1), ceil=False):
    attrs = {"Kernel": kernel, "Stride": stride or (0, 0), "Pad": pad, "Dilation": dilation, "Ceil": ceil}
    x = distinct(*x)
    if pad[0] == pad[1] and pad[2] == pad[3] and max(pad) * 2 <= min(kernel):
        fn = lambda x: F.max_pool2d(x, kernel, stride, (pad[0], pad[2]), dilation, ceil)
        f.add(name, attrs, [x], fn)
        _, i = F.max_pool2d(x, kernel, stride, (pad[0], pad[2]), dilation, ceil, return_indices=True)
        f.put(name, indices=i)
    else:
        assert not ceil
        f.add(name, attrs, [x], lambda x: F.max_pool2d(padded(x, pad, -float("inf")), kernel, stride, 0, dilation))


def avg_pool(f, name, x, kernel, stride=None, pad=(0, 0, 0, 0), ceil=False, count_pad=False):
    attrs = {"Kernel": kernel, "Stride": stride or (0, 0), "Pad": pad, "Ceil": ceil, "CountPad": count_pad}
    if pad[0] == pad[1] and pad[2] == pad[3]:
        fn = lambda x: F.avg_pool2d(x, kernel, stride, (pad[0], pad[2]), ceil, count_pad)
    else:
        assert not ceil

        def fn(x):
            s = F.avg_pool2d(padded(x, pad, 0), kernel, stride)
            return s if count_pad else s / F.avg_pool2d(padded(torch.ones_like(x), pad, 0), kernel, stride)

    f.add(name, attrs, [torch.randn(x)], fn)


f = GoldenFile()
max_pool(f, "2x2", (2, 3, 6, 8), (2, 2))
max_pool(f, "3x3 stride 2", (2, 5, 7, 9), (3, 3), (2, 2))
max_pool(f, "3x3 stride 2 pad 1", (2, 5, 8, 7), (3, 3), (2, 2), (1, 1, 1, 1))
max_pool(f, "3x3 stride 1 pad 1", (1, 9, 5, 6), (3, 3), (1, 1), (1, 1, 1, 1))
max_pool(f, "ceil", (2, 3, 8, 7), (3, 3), (2, 2), ceil=True)
max_pool(f, "ceil pad 1", (2, 3, 8, 7), (3, 3), (2, 3), (1, 1, 1, 1), ceil=True)
max_pool(f, "ceil, last window would begin in padding", (1, 2, 5, 5), (2, 2), (4, 4), (1, 1, 1, 1), ceil=True)
max_pool(f, "dilated", (1, 3, 9, 8), (3, 2), (1, 2), dilation=(2, 3))
max_pool(f, "pad per side", (2, 3, 6, 5), (3, 2), (2, 1), (0, 2, 1, 0))
max_pool(f, "stride larger than kernel", (2, 3, 9, 8), (2, 1), (4, 3))
max_pool(f, "1x1 picture", (1, 3, 1, 1), (3, 3), (1, 1), (1, 1, 1, 1))
max_pool(f, "window of more than 256", (1, 2, 20, 19), (17, 17), (2, 1))
f.write("pool_max.safetensors")

f = GoldenFile()
avg_pool(f, "2x2", (2, 3, 6, 8), (2, 2))
for count_pad in (False, True):
    c = " count pad" if count_pad else ""
    avg_pool(f, "3x3 stride 1 pad 1" + c, (2, 5, 7, 6), (3, 3), (1, 1), (1, 1, 1, 1), count_pad=count_pad)
    avg_pool(f, "3x3 stride 2 pad 1" + c, (2, 3, 8, 7), (3, 3), (2, 2), (1, 1, 1, 1), count_pad=count_pad)
    avg_pool(f, "ceil" + c, (2, 3, 8, 7), (3, 3), (2, 2), ceil=True, count_pad=count_pad)
    avg_pool(f, "ceil pad 1" + c, (2, 3, 8, 7), (3, 3), (2, 3), (1, 1, 1, 1), ceil=True, count_pad=count_pad)
    avg_pool(f, "pad per side" + c, (2, 3, 6, 5), (3, 2), (2, 1), (0, 2, 1, 0), count_pad=count_pad)
avg_pool(f, "stride larger than kernel", (2, 3, 9, 8), (2, 1), (4, 3))
avg_pool(f, "1x1 picture", (1, 3, 1, 1), (1, 1))
f.write("pool_avg.safetensors")

f = GoldenFile()
f.add("global average", {"Op": "GlobalAvg"}, [torch.randn(2, 5, 4, 7)], lambda x: x.mean((2, 3)))
f.add("global average 1x1", {"Op": "GlobalAvg"}, [torch.randn(1, 5, 1, 1)], lambda x: x.mean((2, 3)))
f.add("global max", {"Op": "GlobalMax"}, [distinct(2, 5, 4, 7)], lambda x: x.amax((2, 3)))
for size, out in [((6, 8), (3, 4)), ((7, 5), (3, 2)), ((3, 4), (7, 5)), ((9, 4), (1, 4)), ((1, 1), (2, 2))]:
    f.add(f"adaptive {size} to {out}", {"Op": "AdaptiveAvg", "Size": out}, [torch.randn(2, 3, *size)], lambda x: F.adaptive_avg_pool2d(x, out))
for name, size, kernel, stride in [("even", (6, 8), 2, 2), ("odd", (7, 7), 2, 2), ("gaps", (8, 8), 2, 3)]:
    _, i = F.max_pool2d(distinct(2, 3, *size), kernel, stride, return_indices=True)
    f.add(f"unpool {name}", {"Op": "Unpool", "Size": size}, [torch.randn(i.shape), i], lambda x, i: F.max_unpool2d(x, i, kernel, stride, 0, size))
f.write("pool_other.safetensors")
