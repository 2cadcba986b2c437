"""The line protocol by which a suite, in any language, steers its server.

One TCP connection, one command a line, one answer line that begins with "ok" or "error":
  restart        SIGTERM, then start again on the same ports and data directory
  kill           SIGKILL, then the same
  drop KEY N     arm the proxy: lose the answers of the next N requests with that API key
  dropped        "ok N": answers lost so far
  fault PART MODE  of a faulty SeaweedFS: what happens to its connections (harness/seaweed.py)
  memory         "ok N": resident kilobytes of the server
"""
import socketserver
import threading

from .servers import STOP_TIMEOUT_S


class Control:
    def __init__(self, server, proxy):
        self.server, self.proxy = server, proxy
        self.problems = []  # what went wrong on the server's side: the harness reports it
        self._lock = threading.Lock()
        control = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                for raw in self.rfile:
                    answer = control.execute(raw.decode(errors="replace").split())
                    self.wfile.write((answer + "\n").encode())

        self._listener = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._listener.daemon_threads = True
        self.address = "127.0.0.1:%d" % self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, daemon=True).start()

    def close(self):
        self._listener.shutdown()
        self._listener.server_close()

    def execute(self, words):
        with self._lock:
            try:
                match words:
                    case ["restart"]:
                        self.check_stop(*self.server.stop())
                        self.server.start()
                    case ["kill"]:
                        self.server.kill()
                        self.server.start()
                    case ["drop", key, count]:
                        self.proxy.arm(int(key), int(count))
                    case ["dropped"]:
                        return f"ok {self.proxy.dropped()}"
                    case ["fault", part, mode]:
                        self.server.seaweed.fault(part, mode)
                    case ["memory"]:
                        return f"ok {self.server.resident_kb()}"
                    case _:
                        return f"error unknown command {' '.join(words)}"
                return "ok"
            except Exception as error:  # whatever it was, the suite must hear of it
                self.problems.append(str(error))
                return f"error {error}".replace("\n", " ")

    def check_stop(self, code, seconds):
        # A JVM that is terminated ends with 143, and takes its own time.
        if self.server.__class__.__name__ == "Kafka":
            return
        if code != 0:
            self.problems.append(f"SIGTERM: exit code {code}, wanted 0")
        elif seconds > STOP_TIMEOUT_S:
            self.problems.append(f"SIGTERM: {seconds:.1f} s until exit, wanted {STOP_TIMEOUT_S:.0f}")
