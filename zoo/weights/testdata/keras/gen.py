#!/usr/bin/env python3
"""Writes a small model in every form in which Keras keeps weights, and what it makes of a picture.

Needs Keras 3 (any backend); run in this folder: python3 gen.py. The files here are from Keras 3.8.0 and, for those
whose names say so, 3.5.0, both on PyTorch 1.13 with h5py 3.7; that PyTorch is older than they support, so their
table of types had to lose the float8 ones, and plain Python stood in for optree. keras1.h5 is written by hand in the form of Keras 1.
"""
import gzip, json, os
import h5py, keras
import numpy as np
from keras.src.legacy.saving import legacy_h5_format

L = keras.layers
old = keras.__version__ < "3.6"
rng = np.random.default_rng(5)
# The layers of another model count in the names of those that get none.
L.Conv2D(1, 1)
L.BatchNormalization()

inner_in = L.Input((7, 6, 4))
x = L.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, name="deep_depthwise")(inner_in)
x = L.SeparableConv2D(5, 3, use_bias=False, name="separable")(x)
inner = keras.Model(inner_in, x, name="backbone")

picture = x = L.Input((9, 8, 3))
x = L.Conv2D(4, 3)(x)
x = L.BatchNormalization(scale=False)(x)
x = inner(L.ReLU()(x))
x = L.BatchNormalization(name="last_norm")(x)
x = L.Flatten()(L.Dropout(0.5)(x))
model = keras.Model(picture, L.Dense(3, name="scores")(x), name="small")
model.compile(keras.optimizers.SGD(momentum=0.9), "mse")
model.optimizer.build(model.trainable_variables)  # its variables go into the files too
for v in model.variables:
    if "seed" not in v.path:
        v.assign(rng.uniform(0.25, 1, v.shape).astype("f4"))


def pack(name):
    with open(name, "rb") as f, open(name + ".gz", "wb") as packed:
        packed.write(gzip.compress(f.read(), mtime=0))
    os.remove(name)


if old:
    model.save_weights("layers_3.5.weights.h5")
    model.save("layers_3.5.keras")
    pack("layers_3.5.weights.h5")
    pack("layers_3.5.keras")
    raise SystemExit
with h5py.File("weights.h5", "w") as f:
    legacy_h5_format.save_weights_to_hdf5_group(f, model)
legacy_h5_format.save_model_to_hdf5(model, "model.h5")
model.save_weights("layers.weights.h5")
model.save("layers.keras")

with h5py.File("keras1.h5", "w") as f:
    layers = [l for l in model.layers if l is not inner] + inner.layers
    renamed = [l.name.replace("conv2d", "convolution2d").replace("batch_normalization", "batchnormalization") for l in layers]
    f.attrs["layer_names"] = [n.encode() for n in renamed]
    f.attrs["keras_version"], f.attrs["backend"] = b"1.1.0", b"tensorflow"
    for layer, name in zip(layers, renamed):
        g = f.create_group(name)
        values = [np.asarray(keras.ops.convert_to_numpy(v)) for v in layer.weights]
        kinds = {"DepthwiseConv2D": ["W"], "SeparableConv2D": ["depthwise_kernel", "pointwise_kernel"],
                 "BatchNormalization": ["gamma", "beta", "running_mean", "running_std"][4 - len(values):]}
        texts = [f"{name}_{k}:0" for k in kinds.get(type(layer).__name__, ["W", "b"])[:len(values)]]
        g.attrs["weight_names"] = [t.encode() for t in texts]
        for text, value in zip(texts, values):
            g[text] = value
for name in ("weights.h5", "model.h5", "layers.weights.h5", "layers.keras", "keras1.h5"):
    pack(name)

image = rng.uniform(-1, 1, (2, 9, 8, 3)).astype("f4")
scores = keras.ops.convert_to_numpy(model(image, training=False))
with open("want.json", "w") as f:
    json.dump({"picture": image.reshape(-1).tolist(), "scores": scores.reshape(-1).tolist()}, f)
