"""Writes torchvision.tsv: stheno models | cut -d" " -f1 | python3 names.py, in this folder. Of each of torchvision 0.14.1's networks the number of tensors
in its state dict, without the batch counters, and SHA-256 of the sorted lines "NAME SHAPE"."""
import hashlib
import sys

from torchvision import models

with open("torchvision.tsv", "w") as f:
    f.write("# name\ttensors\tsha256 of names and shapes\n")
    for name in sys.stdin.read().split():
        if not hasattr(models, name):
            continue
        heads = dict(init_weights=False, aux_logits=True) if name in ("googlenet", "inception_v3") else {}
        state = getattr(models, name)(**heads).state_dict()
        lines = sorted(k + " " + "x".join(map(str, v.shape)) for k, v in state.items() if not k.endswith("num_batches_tracked"))
        f.write("%s\t%d\t%s\n" % (name, len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()))
