"""A schema registry in memory that speaks what Confluent's client and Tidegate ask for, and fails when told."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class StubRegistry:
    def __init__(self):
        self.lock = threading.Lock()
        self.schemas = {}  # id -> what was registered
        self.subjects = {}  # subject -> ids by version
        self.failing = {}  # path of a GET -> so many answers of 503
        self.asked = []  # paths of GETs
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer(*stub.get(urlsplit(self.path).path))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(*stub.post(urlsplit(self.path).path, body))

            def answer(self, status, value):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def fail(self, path, times):
        with self.lock:
            self.failing[path] = times

    def post(self, path, body):
        parts = path.split("/")  # /subjects/{subject}[/versions]
        subject = unquote(parts[2])
        known = {key: value for key, value in body.items() if key in ("schema", "schemaType", "references")}
        known.setdefault("schemaType", "AVRO")
        known["references"] = known.get("references") or []
        with self.lock:
            number = next((i for i, each in self.schemas.items() if each == known), None)
            if len(parts) == 3:  # is it registered?
                if number not in self.subjects.get(subject, []):
                    return 404, {"error_code": 40403, "message": "schema not found"}
                return 200, self.told(subject, self.subjects[subject].index(number) + 1)
            if number is None:
                number = 100_000 + 7 * len(self.schemas)
                self.schemas[number] = known
            versions = self.subjects.setdefault(subject, [])
            if number not in versions:
                versions.append(number)
            return 200, self.told(subject, versions.index(number) + 1)

    def told(self, subject, version):
        number = self.subjects[subject][version - 1]
        return {"subject": subject, "version": version, "id": number, **self.schemas[number]}

    def get(self, path):
        missing = 404, {"error_code": 40403, "message": "not found"}
        with self.lock:
            self.asked.append(path)
            if self.failing.get(path, 0) > 0:
                self.failing[path] -= 1
                return 503, {"error_code": 50301, "message": "not now"}
            parts = [unquote(part) for part in path.split("/")[1:]]
            if parts == ["subjects"]:
                return 200, sorted(self.subjects)
            if parts[:2] == ["schemas", "ids"]:
                number = int(parts[2])
                if number not in self.schemas:
                    return missing
                if parts[3:] == ["versions"]:
                    return 200, [{"subject": subject, "version": ids.index(number) + 1}
                                 for subject, ids in self.subjects.items() if number in ids]
                return 200, self.schemas[number]
            if parts[0] == "subjects" and parts[2:3] == ["versions"] and len(parts) == 4:
                ids = self.subjects.get(parts[1], [])
                version = len(ids) if parts[3] == "latest" else int(parts[3])
                return (200, self.told(parts[1], version)) if 1 <= version <= len(ids) else missing
            return missing
