"""Golden files of normalisations: norm_batch.safetensors, norm_running.safetensors, norm_group.safetensors, norm_lrn.safetensors, norm_spectral.safetensors."""
import torch
import torch.nn.functional as F

from goldenfile import GoldenFile

f = GoldenFile()
for name, shape in [("pictures", (4, 5, 3, 2)), ("rows", (7, 5)), ("batch 1", (1, 6, 4, 3)), ("many channels", (2, 37, 3, 3)), ("1x1 pictures", (3, 4, 1, 1))]:
    c = shape[1]
    x = torch.randn(shape) * 2 + 3
    gamma, beta, mean, var = torch.randn(c), torch.randn(c), torch.randn(c), torch.rand(c) + 0.5
    for eps in (1e-5, 1e-3):
        e = {"Eps": eps}
        f.add(f"{name} train {eps}", {**e, "Train": True, "Scale": True, "Shift": True}, [x, gamma, beta], lambda x, g, b: F.batch_norm(x, None, None, g, b, True, 0, eps))
    f.add(f"{name} train no affine", {"Eps": 1e-5, "Train": True}, [x], lambda x: F.batch_norm(x, None, None, None, None, True, 0, 1e-5))
    f.add(f"{name} train shift only", {"Eps": 1e-3, "Train": True, "Shift": True}, [x, beta], lambda x, b: F.batch_norm(x, None, None, None, b, True, 0, 1e-3))
    # mean and variance have no gradient in stheno, so only those of x, gamma and beta are stored
    f.add(f"{name} eval", {"Eps": 1e-5, "Scale": True, "Shift": True}, [x, gamma, beta, mean, var], lambda x, g, b, m, v: F.batch_norm(x, m.detach(), v.detach(), g, b, False, 0, 1e-5))
    f.add(f"{name} eval no affine", {"Eps": 1e-5}, [x, mean, var], lambda x, m, v: F.batch_norm(x, m.detach(), v.detach(), None, None, False, 0, 1e-5))
f.write("norm_batch.safetensors")

f = GoldenFile()
for momentum in (0.1, 0.01):
    bn = torch.nn.BatchNorm2d(4, momentum=momentum)
    bn.running_mean.normal_()
    bn.running_var.uniform_(0.5, 2)
    x = torch.randn(3, 4, 2, 5) * 2 + 1
    before = bn.running_mean.clone(), bn.running_var.clone()
    bn(x)
    name = f"momentum {momentum}"
    f.meta[name] = '{"Momentum": %g}' % momentum
    f.put(name, x0=x, x1=before[0], x2=before[1], mean=bn.running_mean, variance=bn.running_var)
f.write("norm_running.safetensors")

f = GoldenFile()
for shape, axes in [((3, 7), 1), ((2, 3, 4, 5), 3), ((2, 3, 6), 1), ((1, 5), 1), ((2, 3, 5), 2)]:
    n = shape[len(shape) - axes:]
    x, gamma, beta = torch.randn(shape) * 2 + 1, torch.randn(n), torch.randn(n)
    f.add(f"layer {shape} {axes}", {"Op": "Layer", "Eps": 1e-5, "Axes": axes, "Affine": True}, [x, gamma, beta], lambda x, g, b: F.layer_norm(x, n, g, b, 1e-5))
    f.add(f"layer {shape} {axes} no affine", {"Op": "Layer", "Eps": 1e-3, "Axes": axes}, [x], lambda x: F.layer_norm(x, n, None, None, 1e-3))
for shape, groups in [((2, 6, 3, 4), 3), ((2, 6, 3, 4), 1), ((1, 4, 2, 2), 4), ((3, 6), 2)]:
    x, gamma, beta = torch.randn(shape) * 2 + 1, torch.randn(shape[1]), torch.randn(shape[1])
    f.add(f"group {shape} {groups}", {"Op": "Group", "Eps": 1e-5, "Groups": groups, "Affine": True}, [x, gamma, beta], lambda x, g, b: F.group_norm(x, groups, g, b, 1e-5))
    f.add(f"group {shape} {groups} no affine", {"Op": "Group", "Eps": 1e-5, "Groups": groups}, [x], lambda x: F.group_norm(x, groups, None, None, 1e-5))
x, gamma, beta = torch.randn(2, 5, 3, 4) * 2 + 1, torch.randn(5), torch.randn(5)
f.add("instance", {"Op": "Instance", "Eps": 1e-5, "Affine": True}, [x, gamma, beta], lambda x, g, b: F.instance_norm(x, None, None, g, b, True, 0, 1e-5))
f.add("instance no affine", {"Op": "Instance", "Eps": 1e-5}, [x], lambda x: F.instance_norm(x, None, None, None, None, True, 0, 1e-5))
f.write("norm_group.safetensors")

f = GoldenFile()
for size in (1, 3, 4, 5):
    f.add(f"size {size}", {"Size": size, "Alpha": 0.3, "Beta": 0.75, "K": 2}, [torch.randn(2, 7, 3, 2)], lambda x: F.local_response_norm(x, size, 0.3, 0.75, 2))
f.add("window wider than channels", {"Size": 9, "Alpha": 0.1, "Beta": 0.5, "K": 1}, [torch.randn(1, 3, 2, 2)], lambda x: F.local_response_norm(x, 9, 0.1, 0.5, 1))
f.add("AlexNet", {"Size": 5, "Alpha": 1e-2, "Beta": 0.75, "K": 2, "Sum": True}, [torch.randn(2, 8, 3, 2) * 3], lambda x: F.local_response_norm(x, 5, 5e-2, 0.75, 2))
f.write("norm_lrn.safetensors")

f = GoldenFile()
for name, layer, dim, n in [
    ("linear", lambda: torch.nn.Linear(5, 3, bias=False), 0, 1),
    ("conv", lambda: torch.nn.Conv2d(3, 4, (3, 2), bias=False), 0, 1),
    ("conv 3 iterations", lambda: torch.nn.Conv2d(3, 4, 3, bias=False), 0, 3),
    ("transposed", lambda: torch.nn.ConvTranspose2d(3, 4, 3, bias=False), 1, 1),
]:
    m = torch.nn.utils.spectral_norm(layer(), n_power_iterations=n, dim=dim)
    shape = {2: (2, 5), 4: (1, 3, 4, 4)}[m.weight_orig.dim()]
    u = m.weight_u.clone()
    m(torch.randn(shape))
    w = m.weight
    dy = torch.randn_like(w)
    (dw,) = torch.autograd.grad(w, m.weight_orig, dy)
    f.meta[name] = '{"Axis": %d, "Iterations": %d}' % (dim, n)
    f.put(name, x0=m.weight_orig, x1=u, y=w, dy=dy, dx0=dw, u=m.weight_u, v=m.weight_v)
    m.eval()
    m(torch.randn(shape))
    f.put(name, eval=m.weight)
f.write("norm_spectral.safetensors")
