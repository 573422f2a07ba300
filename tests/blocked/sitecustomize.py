"""On PYTHONPATH this makes any connection of a subprocess fail loudly."""

import socket


def _refuse(self, address):
    raise SystemExit(f"NETWORK USED: {address}")


def _resolve(host, *args, **kwargs):
    raise SystemExit(f"NETWORK USED: {host}")


socket.getaddrinfo = _resolve
socket.socket.connect = _refuse
socket.socket.connect_ex = _refuse
