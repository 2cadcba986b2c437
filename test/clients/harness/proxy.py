"""A TCP proxy that understands Kafka frames just enough to lose an answer on purpose.

arm(key, count): the next `count` answers to requests with that API key are lost: the request was
forwarded and processed by the server, and when its response arrives the client's connection is
closed instead. That is the case in which a client must retry without knowing whether its write
took place.
"""
import socket
import struct
import threading
from collections import deque


class DroppingProxy:
    def __init__(self):
        self.upstream = None  # "host:port", set when the server's port is known
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(256)
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._armed = {}
        self._dropped = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, key, count):
        with self._lock:
            self._armed[key] = count

    def dropped(self):
        with self._lock:
            return self._dropped

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        host, port = (self.upstream or "127.0.0.1:1").rsplit(":", 1)
        try:
            server = socket.create_connection((host, int(port)), 5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        pending = deque()  # (correlation id, API key) in the order of the requests
        back = threading.Thread(target=self._responses, args=(server, client, pending), daemon=True)
        back.start()
        self._requests(client, server, pending)
        _shut(server)
        back.join()
        client.close()
        server.close()

    def _requests(self, client, server, pending):
        while (frame := _frame(client)) is not None:
            if len(frame) >= 12:
                key, _, correlation = struct.unpack_from(">hhi", frame, 4)
                pending.append((correlation, key))
            try:
                server.sendall(frame)
            except OSError:
                return

    def _take(self, key):
        with self._lock:
            left = self._armed.get(key, 0)
            if left:
                self._armed[key] = left - 1
                self._dropped += 1
            return left > 0

    def _responses(self, server, client, pending):
        while (frame := _frame(server)) is not None:
            correlation = struct.unpack_from(">i", frame, 4)[0]
            key = None
            while pending:  # requests without an answer (acks=0) are passed over
                sent, key = pending.popleft()
                if sent == correlation:
                    break
            if self._take(key):
                break
            try:
                client.sendall(frame)
            except OSError:
                break
        _shut(client)


def _shut(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _frame(sock):
    """One frame with its length prefix, or None at the end of the stream."""
    try:
        head = sock.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            return None
        size = struct.unpack(">i", head)[0]
        if not 0 <= size <= 256 << 20:
            return None
        body = sock.recv(size, socket.MSG_WAITALL) if size else b""
        while len(body) < size:
            more = sock.recv(size - len(body), socket.MSG_WAITALL)
            if not more:
                return None
            body += more
        return head + body
    except OSError:
        return None
