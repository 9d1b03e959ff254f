#!/usr/bin/env python3
"""Runs `stheno bench models` and its peers in turn and prints a Markdown table: training beside PyTorch, inference
beside ONNX Runtime, and one training step beside the same of Gorgonia's own ops on its tape machine.

usage: compare_models.py [--rounds N] [--only NAME] [--mode train|infer] [--batch N] [--ort FOLDER] [--json FILE]

Each measurement is a process of its own, two threads each (THREADS=n for another number), float32. PyTorch and its
settings as in compare_ops.py, in the better memory layout of each round. ONNX Runtime is the npm package: in FOLDER,
`ONNXRUNTIME_NODE_INSTALL_CUDA=skip npm install onnxruntime-node`; the networks are exported into it from PyTorch.
Without --ort inference is compared with PyTorch.

A ratio above 1 means that stheno is faster; minimum, median and maximum are over the rounds. "cpu" is the ratio of
processor time a picture, medians of all rounds: on a machine with other work it says more than the clock, but threads
of ONNX Runtime and of PyTorch use processor time while they wait for each other, so compare it with THREADS=1.
Memory is what the tape plans, with weights and slots of the optimiser, and the largest resident size of the process.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

from compare_ops import HERE, ROOT, run, torch_env

TRAIN = [("resnet50", 8), ("inception_v3", 4), ("xception", 4), ("resnet20", 128), ("dcgan", 64)]
INFER = [("resnet18", 32), ("resnet50", 16), ("googlenet", 32), ("inception_v3", 16), ("xception", 16)]
CASES = [(name, "train", batch, "torch") for name, batch in TRAIN] + [("resnet20", "train", 16, "stock")]
CASES += [(name, "infer", batch, "onnx") for name, large in INFER for batch in (1, large)]


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--only", default="", help="network")
    a.add_argument("--mode", default="", choices=["", "train", "infer"])
    a.add_argument("--batch", type=int, default=0, help="pictures a step instead of the usual numbers")
    a.add_argument("--ort", default="", help="folder where npm installed onnxruntime-node")
    a.add_argument("--limit", type=int, default=60, help="longest time for one measurement, in seconds")
    a.add_argument("--json", default="", help="file for all measurements")
    a = a.parse_args()
    threads = os.environ.setdefault("THREADS", "2")
    os.environ["GOMAXPROCS"], os.environ["LIMIT"] = threads, str(a.limit)
    stheno = os.path.join(tempfile.mkdtemp(), "stheno")
    subprocess.run(["go", "build", "-o", stheno, "./cmd/stheno"], cwd=ROOT, check=True)
    python, env = os.environ.get("PYTHON", "/usr/bin/python3"), torch_env()

    def measure(name, mode, batch):
        return run([stheno, "bench", "models", "--json", "--only", name, "--mode", mode, "--batch", str(batch), "--limit", f"{a.limit}s"])[0]

    def stock(name, mode, batch):
        return dict(measure(name + "_stock", mode, batch), peer="Gorgonia")

    def torch(name, mode, batch):
        script = os.path.join(HERE, "torch_models.py")
        rows = {f: run([python, script, name, mode, str(batch), f], env=env)[0] for f in ("nchw", "nhwc")}
        best = max(rows, key=lambda f: rows[f]["pictures_per_second"])
        return dict(rows[best], peer="PyTorch " + best)

    def onnx(name, mode, batch):
        if not a.ort:
            return torch(name, mode, batch)
        model = os.path.join(a.ort, name + ".onnx")
        if not os.path.exists(model):
            subprocess.run([python, os.path.join(HERE, "export_onnx.py"), a.ort, name], check=True, capture_output=True)
        node = dict(os.environ, NODE_PATH=os.path.join(os.path.abspath(a.ort), "node_modules"))
        return dict(run(["node", os.path.join(HERE, "ort_models.js"), model, str(batch)], env=node)[0], peer="ONNX Runtime")

    cases = [c for c in CASES if a.only in ("", c[0]) and a.mode in ("", c[1])]
    if a.batch:
        cases = list(dict.fromkeys((name, mode, a.batch, peer) for name, mode, _, peer in cases))
    print("| network | mode | batch | stheno, pictures/s | peer | pictures/s | ratio min / median / max | cpu | stheno, MiB planned / resident | peer, MiB | clean samples |")
    print("|---|---|---:|---:|---|---:|---|---:|---:|---:|---|", flush=True)
    log = []
    peers = dict(torch=torch, onnx=onnx, stock=stock)
    for name, mode, batch, peer in cases:
        rounds = [(measure(name, mode, batch), peers[peer](name, mode, batch)) for _ in range(a.rounds)]
        log += [dict(ours=o, peer=p) for o, p in rounds]
        speeds = sorted(((o["pictures_per_second"] / p["pictures_per_second"], o, p) for o, p in rounds), key=lambda r: r[0])
        _, o, p = speeds[len(speeds) // 2]
        low, mid, high = speeds[0][0], statistics.median(s[0] for s in speeds), speeds[-1][0]
        cpu = statistics.median(p["cpu_ms"] for _, p in rounds) / statistics.median(o["cpu_ms"] for o, _ in rounds)
        planned = o["plan_mib"] + o["vars_mib"] + o["slots_mib"]
        print(f"| {name} | {mode} | {batch} | {o['pictures_per_second']:.2f} | {p['peer']} | {p['pictures_per_second']:.2f} | {low:.2f} / **{mid:.2f}** / {high:.2f} | "
              f"{cpu:.2f} | {planned:.0f} / {o['rss_mib']:.0f} | {p['rss_mib']:.0f} | {o['clean']}/{o['all']} and {p['clean']}/{p['all']} |", flush=True)
        if a.json:
            json.dump(log, open(a.json, "w"), indent=1)


if __name__ == "__main__":
    main()
