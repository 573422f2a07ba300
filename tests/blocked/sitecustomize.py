"""On PYTHONPATH this makes any connection of a subprocess fail loudly."""

import socket


def _refuse(self, address):
    raise SystemExit(f"NETWORK USED: {address}")


socket.socket.connect = _refuse
socket.socket.connect_ex = _refuse
