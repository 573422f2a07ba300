"""MNIST's files by `bench fetch`. Mirrors and checksums are torchvision's, its downloader is not.

That one writes before it verifies, has no time limit, and falls back from https to http.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from benchmark.errors import UsageError, format_error
from tasks.files import idx

SECOND = "https://storage.googleapis.com/cvdf-datasets/mnist/"
# seconds without a byte
SILENCE = 30.0
# seconds for one file: a server that sends a byte now and then must end too
PATIENCE = 1800.0


def mirrors() -> tuple[str, ...]:
    """torchvision's, and SECOND instead of its plain http one."""
    from torchvision.datasets import MNIST

    return (*(url for url in MNIST.mirrors if url.startswith("https://")), SECOND)


def fetch_mnist(root: Path, base_urls: Sequence[str] = ()) -> None:
    """Put MNIST's four .gz files into root/MNIST/raw, each from the first mirror that has it.

    base_urls: mirrors instead of `mirrors()`. Genuine files are kept, packed or not. Raises
    UsageError; a file that no mirror has leaves nothing behind, the files before it stay.
    """
    bases = [_base(url) for url in base_urls or mirrors()]
    root = root.absolute()
    folder = root / "MNIST" / "raw"
    missing = [name for name in idx.MNIST if not _there(root, name)]
    for name in missing:
        if os.path.exists(folder / name):
            # it would hide what is fetched, so this says what is wrong with it
            idx.load(root, name)
        _check_place(folder / f"{name}.gz")
    if not missing:
        print(f"MNIST: all {len(idx.MNIST)} files are in {folder} and verified")
        return
    together = sum(idx.MNIST[name].packed_bytes for name in missing)
    print(
        f"MNIST: {len(missing)} of {len(idx.MNIST)} files to fetch, {together / 1e6:.1f} MB "
        f"together, into {folder}"
    )
    print(f"from {', else '.join(bases)}", flush=True)
    for name in missing:
        packed, base = _first(name, bases)
        _write(folder / f"{name}.gz", packed)
        print(f"  {name}.gz  {len(packed):,} bytes  from {base}  verified", flush=True)


def _base(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        # reading .port raises ValueError for one that is no number
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise UsageError(
            f"--url {url!r}: expected an address that files are below, such as {SECOND}"
        )
    return url.strip().rstrip("/") + "/"


def _there(root: Path, name: str) -> bool:
    """Whether a genuine file is there; a .gz that is not is fetched again."""
    try:
        idx.load(root, name)
    except UsageError:
        return False
    return True


def _check_place(target: Path) -> None:
    """Raise UsageError where a file could not be written, before megabytes are fetched for it."""
    place = next(p for p in target.parents if os.path.lexists(p))
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(
            f"MNIST: expected a folder that can be written, got {place}; name another with "
            "--data-dir DIR"
        )
    if os.path.isdir(target):
        raise UsageError(f"MNIST: {target}: expected a file or nothing, got a folder; remove it")


def _first(name: str, bases: Sequence[str]) -> tuple[bytes, str]:
    """The genuine .gz, and the mirror that had it. Raises UsageError with every mirror's fault."""
    faults = []
    for base in bases:
        try:
            packed = _download(f"{base}{name}.gz", idx.MNIST[name].packed_bytes)
            _verify(name, packed)
            return packed, base
        except HTTPError as error:
            error.close()
            faults.append(f"{base} answered {error.code} {error.reason}")
        except UsageError as error:
            faults.append(f"{base} sent {error}")
        except URLError as error:
            faults.append(f"{base} cannot be reached ({error.reason})")
        except (OSError, HTTPException, ValueError) as error:
            faults.append(f"{base} broke off ({format_error(error)})")
    raise UsageError(
        f"MNIST: {name}.gz could not be fetched: {'; '.join(faults)}; try again, or name another "
        "mirror with --url BASE"
    )


def _download(url: str, expected: int) -> bytes:
    """What lies at the address, at most one byte more than expected."""
    until = time.monotonic() + PATIENCE
    received = bytearray()
    with urlopen(url, timeout=SILENCE) as response:
        while len(received) <= expected:
            piece = response.read1(min(1 << 16, expected + 1 - len(received)))
            if not piece:
                break
            received += piece
            if time.monotonic() > until:
                raise TimeoutError(f"{len(received)} of {expected} bytes in {PATIENCE:g} s")
    return bytes(received)


def _verify(name: str, packed: bytes) -> None:
    file = idx.MNIST[name]
    if len(packed) < file.packed_bytes:
        raise UsageError(f"{len(packed)} of {file.packed_bytes} bytes")
    if len(packed) > file.packed_bytes:
        raise UsageError(f"more than the expected {file.packed_bytes} bytes")
    expected, found = _checksums()[f"{name}.gz"], idx.md5(packed)
    if found != expected:
        raise UsageError(f"another file: expected MD5 {expected}, got {found}")
    idx.parse(name, idx.inflate(BytesIO(packed), file.content_bytes))


def _checksums() -> dict[str, str]:
    """MD5 by file name, as torchvision has it."""
    from torchvision.datasets import MNIST

    return dict(MNIST.resources)


def _write(target: Path, data: bytes) -> None:
    """Whole or not at all. Raises UsageError."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # a rename is atomic, so no run ever reads half a file
        part.write_bytes(data)
        os.replace(part, target)
    except OSError as error:
        raise UsageError(f"MNIST: {target} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            part.unlink()
