#!/usr/bin/env python3
"""Writes networks of torch_models.py as ONNX files for ort_models.js.

usage: export_onnx.py FOLDER NAME...      (NAME.onnx in the folder, opset 13, batch free)
"""
import os
import sys

import torch

from torch_models import in_use

torch.manual_seed(0)
for name in sys.argv[2:]:
    m, size = in_use(name)
    free = {0: "N"}
    torch.onnx.export(m, torch.randn(1, 3, size, size), os.path.join(sys.argv[1], name + ".onnx"), opset_version=13,
                      input_names=["x"], output_names=["y"], dynamic_axes={"x": free, "y": free})
