"""A data set in the form of MNIST that is small enough for tests: 12 and 4 images, each known by
its first pixel.
"""

import gzip
from math import prod

from tasks.files import idx

SHAPES = {
    "train-images-idx3-ubyte": (12, 28, 28),
    "train-labels-idx1-ubyte": (12,),
    "t10k-images-idx3-ubyte": (4, 28, 28),
    "t10k-labels-idx1-ubyte": (4,),
}


def content(name, shape=None, magic=None):
    """The IDX bytes: label i is i modulo 10, image i starts with pixel i and goes on with 255 and
    zeros.
    """
    shape = shape or SHAPES[name]
    each = prod(shape[1:])
    body = b"".join(
        bytes([i % 10]) if each == 1 else bytes([i, 255]) + bytes(each - 2) for i in range(shape[0])
    )
    sizes = b"".join(n.to_bytes(4, "big") for n in shape)
    return (magic or 0x800 + len(shape)).to_bytes(4, "big") + sizes + body


def packed(name):
    """The .gz as mirrors have it."""
    return gzip.compress(content(name), mtime=0)


def table():
    """What stands for `idx.MNIST`."""
    return {
        name: idx.File(shape, idx.md5(content(name)), len(packed(name)))
        for name, shape in SHAPES.items()
    }


def resources():
    """What stands for torchvision's `MNIST.resources`."""
    return [(f"{name}.gz", idx.md5(packed(name))) for name in SHAPES]


def lay_out(root):
    """Write the four .gz files as torchvision does; returns their folder."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in SHAPES:
        (folder / f"{name}.gz").write_bytes(packed(name))
    return folder
