#!/usr/bin/env python3
"""Runs `stheno bench ops` and PyTorch in turn and prints the ratio of their speeds.

usage: compare_ops.py [--rounds N] [--only NAME] [--road avx2] [--json FILE]

Each round measures one op with stheno, with PyTorch channels-last and with PyTorch channels-first, one process
after the other, two threads each (THREADS=n for another number). PyTorch's time is that of the better layout of
the round. A ratio above 1 means that stheno is faster; minimum, median and maximum are over the rounds.

PyTorch is /usr/bin/python3 with Debian's python3-torch unless PYTHON says otherwise. Where OPENBLAS names a folder
with a libopenblas.so.0 built with OpenMP (Debian: apt-get download libopenblas0-openmp; dpkg -x it), it is used.
STHENO names a binary that is built already. SAMPLES is how many undisturbed samples a
measurement wants (7), LIMIT the longest time for it in seconds (15).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
OTHERS = ["sgemm1024", "sgemm4096x64x576", "bn_64_56", "bn_relu_64_56", "maxpool3s2_64_112"]


def torch_env():
    env = dict(os.environ, MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_="17179869184", MALLOC_TOP_PAD_="67108864")
    if os.environ.get("OPENBLAS"):
        env["LD_LIBRARY_PATH"] = os.environ["OPENBLAS"]
    return env


def run(cmd, **kw):
    p = subprocess.run(cmd, capture_output=True, text=True, **kw)
    if p.returncode:
        sys.exit(f"{' '.join(cmd)}: {p.stderr[-2000:]}")
    return json.loads(p.stdout)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--only", default="", help="ops whose name begins so")
    a.add_argument("--road", default="", help="instructions that stheno shall use")
    a.add_argument("--json", default="", help="file for all measurements")
    a = a.parse_args()
    threads = os.environ.setdefault("THREADS", "2")
    os.environ["GOMAXPROCS"] = threads
    tmp = tempfile.mkdtemp()
    stheno, shapes = os.environ.get("STHENO"), os.path.join(tmp, "shapes.json")
    if not stheno:
        stheno = os.path.join(tmp, "stheno")
        subprocess.run(["go", "build", "-o", stheno, "./cmd/stheno"], cwd=ROOT, check=True)
    listed = run([stheno, "bench", "ops", "--shapes"])
    json.dump(listed, open(shapes, "w"))
    names = [n for n in OTHERS[:2] + [c["name"] for c in listed] + OTHERS[2:] if n.startswith(a.only)]
    python, env = os.environ.get("PYTHON", "/usr/bin/python3"), torch_env()
    log = []
    print(f"{'op':22} {'pass':10} {'stheno ms':>10} {'GFLOP/s':>8} {'PyTorch ms':>10} {'layout':>6} {'min':>6} {'median':>6} {'max':>6}  clean  road", flush=True)
    for name in names:
        times, roads = {}, {}
        for _ in range(a.rounds):
            ours = run([stheno, "bench", "ops", "--json", "--samples", os.environ.get("SAMPLES", "7"), "--limit", os.environ.get("LIMIT", "15") + "s", "--only", name] + (["--road", a.road] if a.road else []))
            peer = {f: run([python, os.path.join(HERE, "torch_ops.py"), shapes, name, f], env=env)
                    for f in (["nchw"] if name.startswith("sgemm") else ["nchw", "nhwc"])}
            log.append(dict(ours=ours, torch=peer))
            for r in ours:
                if r["name"] != name:
                    continue
                best = min(((t["ms"], f) for f, rows in peer.items() for t in rows if t["pass"] == r["pass"]))
                times.setdefault(r["pass"], []).append((best[0] / r["ms"], r["ms"], best, f"{r['clean']}/{r['all']}", r["gflops"]))
                roads[r["pass"]] = r["road"]
        for p, rounds in times.items():
            ratios = [t[0] for t in rounds]
            mid = sorted(rounds)[len(rounds) // 2]
            print(f"{name:22} {p:10} {mid[1]:10.3f} {mid[4]:8.1f} {mid[2][0]:10.3f} {mid[2][1]:>6} {min(ratios):6.2f} {statistics.median(ratios):6.2f} {max(ratios):6.2f}  {mid[3]:>5}  {roads[p]}", flush=True)
    if a.json:
        json.dump(log, open(a.json, "w"), indent=1)


if __name__ == "__main__":
    main()
