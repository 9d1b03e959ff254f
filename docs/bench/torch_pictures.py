#!/usr/bin/env python3
"""What `stheno bench pictures FOLDER` does, by torchvision and PIL: two processes decode and augment.

usage: torch_pictures.py FOLDER [SIZE]

Prints pictures/s over five epochs after one to warm up, and of the best epoch.
"""
import os
import sys
import time

import torch
import torchvision

torch.set_num_threads(1)
size = int(sys.argv[2]) if len(sys.argv) > 2 else 224
T = torchvision.transforms
files = torchvision.datasets.ImageFolder(sys.argv[1], T.Compose([
    T.RandomResizedCrop(size), T.RandomHorizontalFlip(), T.ToTensor(),
    T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]))
workers = int(os.environ.get("THREADS", "2"))
loader = torch.utils.data.DataLoader(files, 32, shuffle=True, num_workers=workers, persistent_workers=True)
took = []
for _ in range(6):
    start = time.perf_counter()
    for _ in loader:
        pass
    took.append(time.perf_counter() - start)
took = took[1:]
print(f"{len(files)} files to {size}x{size} with {workers} processes: {len(took) * len(files) / sum(took):.0f} pictures/s (best epoch {len(files) / min(took):.0f})")
