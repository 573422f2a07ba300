"""`bench fetch --preset paper` from a model hub on this machine, with a connection that is cut;
then a run from what came.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch

from tasks.files import download
from tasks.files.weights import OnWeb
from tasks.reward_ft.folder import PINNED
from tasks.reward_ft.presets import SD15
from tests.serving import Silent, serving
from tests.test_cli import ROOT, bench, environment
from tests.tiny import RUN, words

# the hub's client goes on by pieces of 10 MiB, so a file that is cut must be longer
LARGE = "LICENSE.txt"
UNET = "unet/diffusion_pytorch_model.fp16.safetensors"


@pytest.fixture(scope="module")
def repository(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository") / "sd"
    shutil.copytree(tiny.model, folder)
    (folder / "README.md").write_text("a model card")
    (folder / LARGE).write_bytes(bytes(22 * 2**20))
    (folder / "unet" / "diffusion_pytorch_model.non_ema.safetensors").write_bytes(b"not wanted")
    return folder


@contextmanager
def hub(folder, files, cut=(), altered=(), gone=()):
    """A model hub with one repository, and files below /web/. cut: names of which the first answers
    break off in the middle.
    """
    asked, broken = [], set(cut)

    def about():
        siblings = []
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            data, name = path.read_bytes(), str(path.relative_to(folder))
            entry = {"rfilename": name, "size": len(data)}
            if path.suffix == ".safetensors":
                entry["lfs"] = {
                    "size": len(data),
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "pointerSize": 130,
                }
            else:
                entry["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            if name not in gone:
                siblings.append(entry)
        return {
            "id": SD15,
            "sha": PINNED[SD15],
            "siblings": siblings,
            "cardData": {"license": "creativeml-openrail-m"},
        }

    class Handler(Silent):
        protocol_version = "HTTP/1.1"

        def content(self):
            if self.path.startswith(f"/api/models/{SD15}/revision/{PINNED[SD15]}"):
                return json.dumps(about()).encode(), {"Content-Type": "application/json"}
            if self.path.startswith("/web/") and (name := self.path[5:]) in files:
                return files[name].read_bytes(), {}
            start = f"/{SD15}/resolve/{PINNED[SD15]}/"
            path = folder / self.path.removeprefix(start)
            if self.path.startswith(start) and path.is_file():
                data = path.read_bytes()
                tag = hashlib.sha256(data).hexdigest()
                return data, {
                    "ETag": f'"{tag}"',
                    "X-Repo-Commit": PINNED[SD15],
                    "X-Linked-Size": str(len(data)),
                }
            return None, {}

        def answer(self, body):
            data, headers = self.content()
            name = (
                self.path[5:]
                if self.path.startswith("/web/")
                else self.path.partition(f"/resolve/{PINNED[SD15]}/")[2]
            )
            asked.append((self.command, name, self.headers.get("Range", "")))
            if data is None:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if name in altered:
                data = data[:-1] + bytes([data[-1] ^ 1])
            first = (
                int(self.headers["Range"][6:].rstrip("-").split("-")[0])
                if self.headers.get("Range")
                else 0
            )
            self.send_response(206 if first else 200)
            for key, value in {
                **headers,
                "Content-Length": str(len(data) - first),
                "Accept-Ranges": "bytes",
            }.items():
                self.send_header(key, value)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if not body:
                return
            if name in broken:
                broken.discard(name)
                self.wfile.write(data[first : first + (len(data) - first) // 2])
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)
                return
            self.wfile.write(data[first:])

        def do_GET(self):
            self.answer(True)

        def do_HEAD(self):
            self.answer(False)

    with serving(Handler) as address:
        yield address, asked


DRIVER = """
import socket, sys
real = socket.socket.connect
def connect(self, address):
    if address[0] not in ("127.0.0.1", "::1"):
        raise SystemExit(f"NETWORK USED: {address}")
    return real(self, address)
socket.socket.connect = connect
from tasks.files import weights
from tasks.reward_ft import paper_rewards
paper_rewards.RESNET = weights.OnWeb(sys.argv[1], "a licence")
from benchmark.command.cli import main
sys.exit(main(sys.argv[2:]))
"""


def homes(place):
    return {
        "HF_HOME": str(place / "hf"),
        "TORCH_HOME": str(place / "torch"),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "*",
    }


def command(place, url, resnet, *words):
    """`bench` in a process of its own that may speak to this machine alone; resnet: the address of
    the network's file.
    """
    env = environment() | homes(place) | {"PYTHONPATH": str(ROOT), "HF_ENDPOINT": url}
    return subprocess.run(
        [sys.executable, "-c", DRIVER, resnet, *map(str, words)],
        cwd=place,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )


def settings(tiny):
    own = ("model=", "reward_weights=")
    return words([*(s for s in tiny.settings if not s.startswith(own)), "variant=fp16"])


def published(tiny):
    """The ResNet's file under a name that states its hash, as its publisher names it."""
    return f"resnet18-{hashlib.sha256(tiny.resnet.read_bytes()).hexdigest()[:8]}.pth"


def fetch(tiny, place, url, *more):
    name = published(tiny)
    return command(
        place, url, f"{url}/web/{name}", "fetch", "--preset", "paper", *settings(tiny), *more
    )


def test_cut_in_the_middle_gone_on_with_and_run_from(tiny, repository, tmp_path):
    name = published(tiny)
    with hub(repository, {name: tiny.resnet}, cut=(LARGE, name)) as (url, asked):
        shown = fetch(tiny, tmp_path, url, "--dry-run")
        assert shown.returncode == 0, shown.stderr
        assert "licence: creativeml-openrail-m" in shown.stdout
        assert "licence: a licence" in shown.stdout
        assert "together 7" in shown.stdout
        assert not [a for a in asked if a[0] == "GET" and a[1] in (LARGE, name)]
        done = fetch(tiny, tmp_path, url)
        assert done.returncode == 0, done.stderr
        assert [r for how, n, r in asked if how == "GET" and n == LARGE] == [
            "",
            f"bytes={10 * 2**20}-",
        ]
        assert [r for how, n, r in asked if how == "GET" and n == name] == [
            "",
            f"bytes={tiny.resnet.stat().st_size // 2}-",
        ]
        assert not [
            n
            for _, n, _ in asked
            if "non_ema" in n or n.endswith("diffusion_pytorch_model.safetensors")
        ]
        before = len(asked)
        again = fetch(tiny, tmp_path, url)
        assert "nothing is to be fetched" in again.stdout
        assert not [n for how, n, _ in asked[before:] if how == "GET" and n]
    env = environment() | homes(tmp_path)  # the network is blocked altogether
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            DRIVER.replace("import socket, sys", "import sys, socket"),
            f"{url}/web/{name}",
            *RUN,
            "--budget",
            "100nfe",
            "--in-process",
            "--out",
            "runs",
            *settings(tiny),
        ],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    missing = bench(*RUN, *settings(tiny), "--model", "some/other", cwd=tmp_path)
    assert missing.returncode == 2
    assert (
        "get it with `bench fetch --preset paper --model some/other --set reward_ft.variant=fp16`"
        in missing.stderr
    )


def test_what_is_not_the_published_file_is_refused_and_removed(tiny, repository, tmp_path):
    name = published(tiny)
    for case in (UNET, name):
        with hub(repository, {name: tiny.resnet}, altered=(case,)) as (url, _):
            done = fetch(tiny, tmp_path, url)
        assert done.returncode == 2
        assert f"{case} is not the published file: expected" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        with hub(repository, {name: tiny.resnet}) as (url, _):
            assert fetch(tiny, tmp_path, url).returncode == 0
        for path in (tmp_path / "torch").rglob("*.pth"):
            path.unlink()


@pytest.mark.usefixtures("loopback")
def test_a_file_whose_server_states_no_size_is_fetched_too(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)

    class Handler(Silent):
        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(b"some weights")

    with serving(Handler) as address:
        source = OnWeb(f"{address}/some.pth", "a licence")
        download.fetch([source], dry_run=False)
    assert source.path.read_bytes() == b"some weights"
