"""The sockets that the server listens on, and how connections are spread over its workers.

Workers that accept from one shared socket do not share evenly: a worker that is awake takes whatever waits, up to all
of 32 connections that come together. On Linux each worker therefore has a socket of its own, and the kernel picks one
for each connection (SO_REUSEPORT). The supervisor holds all the sockets, so that waiting connections outlive a worker.
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any

from zoo.errors import ZooError

BACKLOG = 1024  # connections that may wait to be accepted


class Door:
    """Listening sockets on one address for workers 1, 2, … `count`; one for all where SO_REUSEPORT is not used.

    No other server can bind in between: the address is taken first without SO_REUSEPORT, which fails while anybody has
    it. Raises ZooError when the address cannot be bound.
    """

    def __init__(self, host: str, port: int, count: int) -> None:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError) as error:  # UnicodeError: it cannot be a name
            raise ZooError(f'"{host}" is not an address to listen on. Try: zoo serve --host 127.0.0.1.') from error
        self._kind = family, kind, protocol
        self._shared = sys.platform == "linux" and count > 1
        first = socket.socket(*self._kind)
        try:
            if sys.platform == "win32":  # where SO_REUSEADDR would let a second server in
                first.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:  # connections of an earlier run may still be closing
                first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            first.bind(address)
            self._address: Any = first.getsockname()
            if self._shared:
                first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._sockets = {1: _listening(first)}
            for place in range(2, 1 + count if self._shared else 2):
                self._sockets[place] = self._another()
        except OSError as error:
            first.close()
            raise ZooError(_refusal(error, host, port)) from error

    @property
    def url(self) -> str:
        """The URL for a browser on this machine, without a path."""
        host, port = self._address[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def of(self, place: int) -> tuple[socket.socket, list[socket.socket]]:
        """Return the socket of a worker's place, opened again if it was shut, and the sockets of the other places."""
        if not self._shared:
            return self._sockets[1], []
        if place not in self._sockets:
            self._sockets[place] = self._another()
        return self._sockets[place], [one for other, one in self._sockets.items() if other != place]

    def shut(self, place: int) -> None:
        """Close the socket of a place whose worker is gone, unless it is the last one."""
        if self._shared and len(self._sockets) > 1 and place in self._sockets:
            self._sockets.pop(place).close()

    def close(self) -> None:
        """Close all sockets."""
        for one in self._sockets.values():
            one.close()

    def _another(self) -> socket.socket:
        one = socket.socket(*self._kind)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind(self._address)
            return _listening(one)
        except OSError:
            one.close()
            raise


def _listening(one: socket.socket) -> socket.socket:
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by the connections
    one.listen(BACKLOG)
    one.setblocking(False)
    return one


def _refusal(error: OSError, host: str, port: int) -> str:
    """Return the message for an address that cannot be bound."""
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else port - 1
        return f"Port {port} of {host} is in use. Stop what uses it, or choose another: zoo serve --port {other}."
    if error.errno == errno.EACCES:
        return f"This user may not use port {port} of {host}. Choose one from 1024 up: zoo serve --port 5000."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine. Try: zoo serve --host 127.0.0.1."
    return f"Port {port} of {host} cannot be used: {error.strerror}."
