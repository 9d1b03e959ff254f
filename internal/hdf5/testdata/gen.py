#!/usr/bin/env python3
"""Writes *.h5.gz in the variants that HDF5 has of each thing, with h5py 3.7 on HDF5 1.10.8, and want.json with what
h5py reads back: of a dataset type, shape and the start of the SHA-256 of its elements in C order, little-endian; of
an attribute its strings, or how many there are and that of all, each ended by a line feed. Run in this folder:
python3 gen.py
"""
import gzip, hashlib, json, os
import h5py
import numpy as np

rng = np.random.default_rng(6)


def numbers(*shape, t="<f4"):
    return (rng.standard_normal(shape) * 100).astype(t)


def plain(f):
    """Types, layouts and nested groups."""
    for t in "<f2 >f2 <f4 >f4 <f8 >f8 <i1 <i2 >i4 <i8 <u1 >u2 <u4 >u8".split():
        f["types/" + t.replace("<", "little_").replace(">", "big_")] = np.abs(numbers(3, 2, t="f8")).astype(t)
    f["types/special"] = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 6e-8, 65504], "<f2")
    f["scalar"] = np.float32(2.5)
    f["no_elements"] = np.zeros((0, 4), "f4")
    f["null"] = h5py.Empty("f4")
    f["bools"] = np.array([True, False])
    f.create_dataset("never_written", (5,), "f4")
    f.create_dataset("never_written_filled", (5,), "f4", fillvalue=1.5)
    f["a/b/c/d/e/deep"] = numbers(2, 3)
    f.create_group("a/empty")
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.COMPACT)
    values = numbers(4, 5)
    d = h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4, 5)), plist)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    f["committed"] = np.dtype("<f8")
    f.create_dataset("of_committed", data=numbers(3, t="<f8"), dtype=f["committed"])
    f["soft"] = h5py.SoftLink("/scalar")
    f["external"] = h5py.ExternalLink("other.h5", "/x")
    opaque = f.create_dataset("bfloat16", data=numbers(4).view("<u4").__rshift__(16).astype("<u2").view("V2"))
    opaque.attrs["dtype"] = "bfloat16"
    plist = h5py.h5t.IEEE_F32LE.copy()
    plist.set_fields(15, 7, 8, 0, 7), plist.set_size(2), plist.set_ebias(127)
    d = h5py.h5d.create(f.id, b"bfloat16_float", plist, h5py.h5s.create_simple((3,)))
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([0x3F80, 0xC020, 0x7F80], "<u2").view("V2"), plist)


def groups(f):
    """Groups with so many children that their index has several levels, and objects with many attributes."""
    f["x"] = numbers(2)
    few, many = f.create_group("few"), f.create_group("many")
    for i in range(3):
        few[f"child{i}"] = f["x"]
    for i in range(700):
        many[f"a_child_with_a_long_name_{i * 37 % 700:03}"] = f["x"]
    f["many/self"] = f["many"]  # a cycle
    for i in range(40):
        many.attrs[f"attribute{i}"] = f"text {i}"
    many.attrs["layer_names"] = [b"one", b"three", b"fourteen" * 3]
    many.attrs["tall"] = np.array([b"name%05d" % i for i in range(700)])


def attributes(f):
    a = f.attrs
    a["fixed"] = np.bytes_(b"tensorflow")
    a["fixed_array"] = np.array([b"conv1", b"bn", b""])
    a["variable"] = "2.15.0 größer"
    a["variable_array"] = ["a", "", "long " * 50, "b"]
    a["none"] = np.array([])
    a["number"] = 3
    a["ascii"] = np.array(["x", "yz"], dtype=h5py.string_dtype("ascii"))
    g = f.create_group("later")
    g["x"] = numbers(2)
    for i in range(6):  # the header of the dataset has to be continued
        g["x"].attrs[f"note{i}"] = "n" * (40 * i)
    space = h5py.h5t.FORTRAN_S1.copy()
    space.set_size(8)
    s = h5py.h5a.create(g.id, b"spaces", space, h5py.h5s.create_simple((2,)))
    s.write(np.array([b"ab      ", b"c d     "], "S8"), space)


def large_attribute(f):
    """More than 64 KiB, which the old format cannot hold."""
    f.attrs["layer_names"] = np.array([b"layer_%04d" % i for i in range(7000)])


def chunks(f):
    def add(name, shape, t="<f4", **kw):
        f.create_dataset(name, data=numbers(*shape, t=t), **kw)

    add("plain", (7, 5, 3), chunks=(3, 2, 3))
    add("deflate", (7, 5, 3), chunks=(3, 2, 3), compression="gzip")
    add("shuffle", (7, 5, 3), chunks=(3, 2, 3), shuffle=True)
    add("fletcher", (7, 5), chunks=(3, 3), fletcher32=True)
    add("fletcher_odd", (7,), t="<i1", chunks=(3,), fletcher32=True)
    add("all", (9, 4, 3, 2), chunks=(3, 4, 2, 2), compression="gzip", compression_opts=9, shuffle=True, fletcher32=True)
    add("big", (6, 4), t=">f8", chunks=(4, 4), compression="gzip", shuffle=True)
    add("one", (6, 4), chunks=(6, 4))
    add("one_deflate", (6, 4), chunks=(6, 4), compression="gzip")
    add("larger", (5, 3), chunks=(2, 2), maxshape=(50, 7), compression="gzip")
    add("two_unlimited", (5, 3), chunks=(2, 2), maxshape=(None, None))
    add("two_unlimited_deflate", (9, 9), chunks=(1, 2), maxshape=(None, None), compression="gzip")
    d = f.create_dataset("holes", (8, 8), "<f4", chunks=(2, 2), fillvalue=-1.5)
    d[2:4, 4:8] = numbers(2, 4)
    d = f.create_dataset("no_chunk", (4, 4), "<f4", chunks=(2, 2))
    many = f.create_dataset("many", (2100,), "<f4", chunks=(1,))
    many[1500:1530] = numbers(30)
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((2, 3))
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    d = h5py.h5d.create(f.id, b"early", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((5, 7)), plist)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, numbers(5, 7))
    add("one_unlimited", (30, 3), chunks=(2, 2), maxshape=(None, 3))
    add("one_unlimited_deflate", (5, 300), chunks=(2, 2), maxshape=(6, None), compression="gzip")
    d = f.create_dataset("one_unlimited_pages", (40000,), "<u1", chunks=(1,), maxshape=(None,))
    d[3:40000:4567] = 7
    add("lzf", (30, 3), chunks=(2, 2), compression="lzf")


def sha(b):
    return hashlib.sha256(b).hexdigest()[:16]


def describe(f):
    data, attrs = {}, {}

    def attributes(name, o):
        for k, v in o.attrs.items():
            if isinstance(v, h5py.Empty):
                continue
            v = np.asarray(v)
            if v.dtype.kind not in "SOU":
                continue
            texts = [x.decode() if isinstance(x, bytes) else str(x) for x in v.reshape(-1).tolist()]
            if len(texts) > 10:
                texts = [str(len(texts)), sha("".join(x + "\n" for x in texts).encode())]
            attrs.setdefault("/" + name, {})[k] = texts

    def visit(name, o):
        attributes(name, o)
        if isinstance(o, h5py.Dataset):
            v = o[()]
            if isinstance(v, h5py.Empty):
                data["/" + name] = {"type": "float32", "shape": [0], "sha256": sha(b"")}
                return
            v = np.asarray(v)
            if name == "bfloat16_float":  # h5py 3.7 widens it
                bits = np.array([0x3F80, 0xC020, 0x7F80], "<u2")
                data["/" + name] = {"type": "bfloat16", "shape": [3], "sha256": sha(bits.tobytes())}
                return
            kind = {"f": "float", "i": "int", "u": "uint"}.get(v.dtype.kind, "other") + str(8 * v.dtype.itemsize)
            if v.dtype.kind in "fiu":
                v = v.astype(v.dtype.newbyteorder("<"))
            data["/" + name] = {"type": kind, "shape": list(v.shape), "sha256": sha(v.tobytes())}

    attributes("", f)
    f.visititems(visit)
    return {"data": data, "attributes": attrs}


want = {}
for write in (plain, groups, attributes, chunks, large_attribute):
    for libver in ("earliest", "v108", "latest"):
        if write is large_attribute and libver != "latest" or write in (groups, attributes) and libver == "v108":
            continue
        name = f"{write.__name__}_{libver}.h5"
        with h5py.File(name, "w", libver="earliest" if libver == "earliest" else (libver, libver)) as f:
            write(f)
        with h5py.File(name) as f:
            want[name] = describe(f)

# Addresses and lengths of four bytes.
plist = h5py.h5p.create(h5py.h5p.FILE_CREATE)
plist.set_sizes(4, 4)
h5py.h5f.create(b"small_earliest.h5", h5py.h5f.ACC_TRUNC, plist).close()
with h5py.File("small_earliest.h5", "a") as f:
    f.create_dataset("chunks", data=numbers(40), chunks=(1,))
    f["x"] = numbers(3)
with h5py.File("small_earliest.h5") as f:
    want["small_earliest.h5"] = describe(f)

with open("want.json", "w") as f:
    json.dump(want, f, indent=1, sort_keys=True, ensure_ascii=False)
for name in want:
    with open(name, "rb") as f, open(name + ".gz", "wb") as packed:
        packed.write(gzip.compress(f.read(), mtime=0))
    os.remove(name)
