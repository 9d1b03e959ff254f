"""Prints what TensorBoard's own reader finds in the event files of a folder: kind, tag, step and value.

    python3 read.py FOLDER

It wants the Python package tensorboard; TensorFlow is not needed.
"""
import sys

from tensorboard.backend.event_processing import event_accumulator as ea

a = ea.EventAccumulator(sys.argv[1], size_guidance={ea.SCALARS: 0, ea.HISTOGRAMS: 0, ea.IMAGES: 0})
a.Reload()
for tag in sorted(a.Tags()["scalars"]):
    for e in a.Scalars(tag):
        print("scalar", tag, e.step, e.value)
for tag in sorted(a.Tags()["histograms"]):
    for e in a.Histograms(tag):
        h = e.histogram_value
        print("histogram", tag, e.step, h.min, h.max, h.num, h.sum, len(h.bucket))
for tag in sorted(a.Tags()["images"]):
    for e in a.Images(tag):
        print("image", tag, e.step, e.width, e.height)
