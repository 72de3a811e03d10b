"""A metadata service that checks signatures as MAAS's does."""

import email.utils
import http.server
import json
import threading
import time
import urllib.parse

CREDENTIALS = {"consumer_key": "consumer", "token_key": "token", "token_secret": "se&cret="}
NEEDED = {"oauth_consumer_key", "oauth_token", "oauth_signature", "oauth_signature_method", "oauth_timestamp", "oauth_nonce"}


class Service:
    """Serves paths below /MAAS/metadata/2012-03-01/, and keeps the events it is told."""

    def __init__(self, files, clock=0, failures=()):
        self.files = files
        self.clock = clock  # how far ahead of this machine's it is
        self.failures = list(failures)  # codes of the first answers
        self.asked, self.events, self.nonces = [], [], set()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                service.handle(self, self.path, None)

            def do_POST(self):
                service.handle(self, self.path, self.rfile.read(int(self.headers["Content-Length"])))

            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(time.time() + service.clock, usegmt=True)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/MAAS/metadata" % self.server.server_address[1]
        self.datasource = dict(CREDENTIALS, metadata_url=self.url + "/")
        self.reporting = dict(CREDENTIALS, endpoint=self.url + "/status/abc123")

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()

    def handle(self, request, path, body):
        refusal = self.refuse(request.headers.get("Authorization", ""))
        self.asked.append(path.replace("/MAAS/metadata/", ""))
        if self.failures:
            return self.answer(request, self.failures.pop(0), b"try again")
        if refusal:
            return self.answer(request, 401, b"Authorization Error: " + refusal.encode())
        if body is not None:
            self.events.append(json.loads(body.decode()))
            return self.answer(request, 200, b"OK")
        content = self.files.get(path.replace("/MAAS/metadata/2012-03-01/", ""))
        return self.answer(request, 404 if content is None else 200, content or b"")

    def refuse(self, header):
        """What is wrong with a signature, in the words of MAAS's API; None for nothing."""
        if not header.startswith("OAuth "):
            return "no OAuth header"
        fields = dict(part.strip().split("=", 1) for part in header[len("OAuth "):].split(","))
        fields = {key: urllib.parse.unquote(value.strip('"')) for key, value in fields.items()}
        if NEEDED - set(fields):
            return "missing %s" % sorted(NEEDED - set(fields))
        want = {"oauth_consumer_key": "consumer", "oauth_token": "token", "oauth_signature": "&se%26cret%3D",
                "oauth_signature_method": "PLAINTEXT"}
        for key, value in want.items():
            if fields[key] != value:
                return "Invalid %s" % key
        if abs(int(fields["oauth_timestamp"]) - (time.time() + self.clock)) > 300:
            return "Expired timestamp"
        if fields["oauth_nonce"] in self.nonces:
            return "Nonce already used"
        self.nonces.add(fields["oauth_nonce"])
        return None

    @staticmethod
    def answer(request, code, body):
        request.send_response(code)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
