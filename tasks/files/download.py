"""Networks from where they are published, for `bench fetch` alone: resumable, checked by hash."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from benchmark.errors import UsageError, format_error, one_line
from tasks.files.mnist import SILENCE
from tasks.files.weights import OnHub, OnWeb, digest

_TRIES = 3
_PIECE = 1 << 20  # bytes


@dataclass(frozen=True)
class HubFolder:
    """Several files of a model hub repository.

    choose: from the repository's names to those that are needed; may raise UsageError.
    """

    repo: str
    revision: str
    choose: Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True)
class Piece:
    """One file to fetch.

    size: bytes, 0 where its server does not say.  there: a genuine copy on this machine.  get:
    fetch it.  check: from a path to what is wrong with the file, or "".
    """

    name: str
    size: int
    there: Path | None
    get: Callable[[], Path]
    check: Callable[[Path], str]


@dataclass(frozen=True)
class Lot:
    """The files of one source, under one licence."""

    source: str
    licence: str
    pieces: tuple[Piece, ...]


Source = HubFolder | OnHub | OnWeb


def fetch(sources: Iterable[Source], dry_run: bool, base: str = "") -> None:
    """Show sizes and licences, then fetch what is missing; a genuine file is never fetched again.

    base: an address that has the files which are on no hub, instead of their own. Raises
    UsageError; the next call goes on with a file that came in part.
    """
    lots = [_web(s, base) if isinstance(s, OnWeb) else _hub(s) for s in dict.fromkeys(sources)]
    missing = [(lot, [p for p in lot.pieces if p.there is None]) for lot in lots]
    for lot, pieces in missing:
        total, left = sum(p.size for p in lot.pieces), sum(p.size for p in pieces)
        print(
            f"{lot.source}: {len(lot.pieces)} files, {_size(total)}, of which {_size(left)} are "
            "to be fetched"
        )
        print(f"  licence: {lot.licence}")
    absent = [p for _, pieces in missing for p in pieces]
    needed = sum(p.size for p in absent)
    print(
        f"together {_size(needed)} to be fetched" if absent else "nothing is to be fetched",
        flush=True,
    )
    if dry_run or not absent:
        return
    _check_disk(needed)
    for lot, pieces in missing:
        for piece in pieces:
            _get(lot, piece)


def _get(lot: Lot, piece: Piece) -> None:
    path = piece.get()
    if fault := piece.check(path):
        # the hub's cache is a link to a blob: the blob must go, or the next try finds it again
        path.resolve().unlink()
        raise UsageError(
            f"{lot.source}: {piece.name} is not the published file: {fault}; it was removed; try "
            "again"
        )
    print(f"  {piece.name}  {piece.size:,} bytes  {digest(path)[:12]}  verified", flush=True)


def _size(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _check_disk(needed: int) -> None:
    """Before gigabytes are fetched for it. Raises UsageError."""
    from huggingface_hub import constants

    place = Path(constants.HF_HUB_CACHE)
    place = next(p for p in (place, *place.parents) if p.is_dir())
    if (free := shutil.disk_usage(place).free) < needed:
        raise UsageError(
            f"fetch: {_size(needed)} are needed and {place} has {_size(free)} free; set HF_HOME "
            "and TORCH_HOME"
        )


def _hub(source: HubFolder | OnHub) -> Lot:
    """Raises UsageError where the hub cannot be asked."""
    from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache

    revision = source.revision if isinstance(source, HubFolder) else ""
    with _hub_errors(source.repo):
        if constants.HF_HUB_OFFLINE:
            raise UsageError(
                f"fetch {source.repo}: HF_HUB_OFFLINE is set, so the model hub is not asked; "
                "unset it"
            )
        about = HfApi().model_info(source.repo, revision=revision or None, files_metadata=True)
    files = {s.rfilename: s for s in about.siblings or ()}
    names = source.choose(list(files)) if isinstance(source, HubFolder) else [source.name]
    if absent := [n for n in names if n not in files]:
        raise UsageError(f"fetch {source.repo}: the repository has no {', '.join(absent)}")

    def piece(name: str) -> Piece:
        def get() -> Path:
            with _hub_errors(source.repo):
                return Path(hf_hub_download(source.repo, name, revision=revision or None))

        # by the call that a run makes, so that "there" means that a run finds it
        cached = try_to_load_from_cache(source.repo, name, revision=revision or None)
        check = _hub_check(files[name])
        there = Path(cached) if isinstance(cached, str) and not check(Path(cached)) else None
        return Piece(name, int(files[name].size or 0), there, get, check)

    card: Any = about.card_data or {}
    licence = str(card.get("license") or "none stated in its model card")
    at = f" at {about.sha[:12]}" if about.sha else ""
    return Lot(f"{source.repo}{at}", licence, tuple(piece(n) for n in names))


def _hub_check(about: Any) -> Callable[[Path], str]:
    """By the hash that the hub states: SHA-256 of large files, git's own SHA-1 of the others."""

    def check(path: Path) -> str:
        if about.lfs is not None:
            kind, expected, found = "SHA-256", about.lfs.sha256, digest(path)
        elif about.blob_id:
            content = path.read_bytes()
            kind, expected = "git's SHA-1", about.blob_id
            found = hashlib.sha1(
                b"blob %d\0" % len(content) + content, usedforsecurity=False
            ).hexdigest()
        else:
            kind, expected, found = "size", str(about.size), str(path.stat().st_size)
        return "" if found == expected else f"expected {kind} {expected}, got {found}"

    return check


@contextmanager
def _hub_errors(repo: str) -> Iterator[None]:
    """The hub's errors as one line each. Raises UsageError."""
    from huggingface_hub import constants, errors

    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # the hub's client and the libraries below it raise many kinds
        if isinstance(error, errors.GatedRepoError):
            cure = f"accept its terms at {constants.ENDPOINT}/{repo}, then `hf auth login`"
        elif isinstance(error, errors.RepositoryNotFoundError):
            cure = "check the name; a private repository needs `hf auth login`"
        else:
            cure = "the same command goes on where it stopped"
        raise UsageError(
            f"fetch {repo} from {constants.ENDPOINT}: {format_error(error)[:300]}; {cure}"
        ) from error


def _web(source: OnWeb, base: str) -> Lot:
    """Raises UsageError where the server cannot be asked."""
    url = f"{base.rstrip('/')}/{source.name}" if base else source.url
    # torch's downloads state the first digits of their SHA-256 in the file's name
    prefix = re.search(r"-([0-9a-f]{8,64})\.", source.name)

    def check(path: Path) -> str:
        found = digest(path)
        if prefix and not found.startswith(prefix[1]):
            return f"expected a SHA-256 that begins with {prefix[1]}, got {found}"
        return ""

    there = source.find()
    # a .safetensors is the user's own conversion, whose hash nobody states
    if there is not None and there.suffix != ".safetensors" and check(there):
        there = None
    size = there.stat().st_size if there is not None else _size_at(url)
    piece = Piece(source.name, size, there, lambda: resumed(url, source.path, size), check)
    return Lot(url, source.licence, (piece,))


def _size_at(url: str) -> int:
    """Bytes of what lies at an address, 0 where its server does not say. Raises UsageError."""
    try:
        with urlopen(Request(url, method="HEAD"), timeout=SILENCE) as response:
            return int(response.headers.get("Content-Length") or 0)
    except (OSError, HTTPException, ValueError) as error:
        raise UsageError(
            f"fetch {url}: {one_line(str(error))}; the same command goes on where it stopped"
        ) from error


def resumed(url: str, target: Path, size: int) -> Path:
    """Download a file, going on with a part that an earlier try left. Raises UsageError."""
    part = target.with_name(f"{target.name}.part")
    fault = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_TRIES):
            received = part.stat().st_size if part.is_file() else 0
            if received and received == size:
                break
            try:
                # a part that is too long is of another file: start anew
                _append(url, part, received if received < size else 0)
                if not size:
                    break
            except (HTTPException, TimeoutError, ConnectionError, HTTPError) as error:
                fault = format_error(error)
        if size and part.stat().st_size != size:
            raise UsageError(
                f"fetch {url}: {part.stat().st_size} of {size} bytes "
                f"came{f' ({fault})' if fault else ''}; the same command goes on where it stopped"
            )
        part.replace(target)
    except OSError as error:
        raise UsageError(
            f"fetch {url}: {one_line(str(error))}{f' ({fault})' if fault else ''}"
        ) from error
    return target


def _append(url: str, part: Path, received: int) -> None:
    request = Request(url, headers={"Range": f"bytes={received}-"} if received else {})
    with (
        urlopen(request, timeout=SILENCE) as response,
        # 206: the range was granted; a server without ranges sends all of it again
        part.open("ab" if response.status == 206 else "wb") as file,
    ):
        while piece := response.read1(_PIECE):
            file.write(piece)
