"""No test may reach beyond this machine, and none may depend on how many threads it has."""

import gc
import os
import socket

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["COLUMNS"] = "130"  # tables are as wide as the terminal, up to this
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tests run side by side
CONNECT = socket.socket.connect


@pytest.fixture(autouse=True, scope="module")
def _few_objects():
    """A run collects garbage before it begins, half a second and more where everything is loaded;
    what earlier modules left is no longer looked at.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Every connection raises, in this process; subprocesses get the same from
    tests/blocked/sitecustomize.py.
    """

    def refuse(self, address):
        raise AssertionError(f"a test tried to connect to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.fixture
def loopback(_no_network, monkeypatch):
    """A test that asks for this may connect to its own server on this machine; anything else still
    raises.
    """
    refuse = socket.socket.connect

    def connect(self, address):
        inside = self.family in (socket.AF_INET, socket.AF_INET6) and address[0] in (
            "127.0.0.1",
            "::1",
        )
        return CONNECT(self, address) if inside else refuse(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The files of the paper's preset, tiny and random; a test that changes one works on a copy."""
    from tests.tiny import Tiny

    return Tiny(tmp_path_factory.mktemp("tiny"))
