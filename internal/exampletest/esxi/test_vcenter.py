"""Joins a vCenter that answers as 6.7 or as 8 does."""

import base64
import http.server
import json
import pathlib
import ssl
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

import recorder

import esx
import vcenter


class VCenter:
    """The parts of vCenter's REST interface that joining takes."""

    def __init__(self, folder, old=False, reachable=("10.0.0.5",), centres=("dc1",)):
        self.old, self.reachable, self.centres = old, reachable, centres
        self.calls, self.added = [], []
        key, cert = folder + "/key.pem", folder + "/cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
                       check=True, stderr=subprocess.DEVNULL)
        self.ca = pathlib.Path(cert).read_text()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                code, answer = fake.answer(self.command, self.path, self.headers, json.loads(body) if body else None)
                text = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_DELETE = do_GET

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = "localhost:%d" % self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, method, path, headers, body):
        url = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.calls.append("%s %s" % (method, url.path))
        if self.old != url.path.startswith("/rest/"):
            return 404, None
        name = url.path.replace("/rest/com/vmware/cis/", "/api/").replace("/rest/", "/api/")
        if (method, name) == ("POST", "/api/session"):
            login = base64.b64decode(headers["Authorization"].split()[1]).decode()
            return (201, self.value("token1")) if login == "admin:pässword" else (401, {"type": "unauthenticated"})
        if headers["vmware-api-session-id"] != "token1":
            return 401, None
        if method == "DELETE":
            return 200, None
        filters = {key.replace("filter.", "") if self.old else key: value for key, value in query.items()}
        if name == "/api/vcenter/datacenter":
            return 200, self.value([{"datacenter": "id-" + centre, "name": centre} for centre in self.centres
                                    if filters.get("names", centre) == centre])
        if name == "/api/vcenter/folder":
            assert filters["type"] == "HOST"
            return 200, self.value([{"folder": "sub", "name": "racks"}, {"folder": "top-" + filters["datacenters"], "name": "host"}])
        spec = body["spec"] if self.old else body
        if spec["hostname"] not in self.reachable:
            return 400, {"type": "unable_to_connect"}
        self.added.append(spec)
        return 201, self.value("host-9")

    def value(self, answer):
        return {"value": answer} if self.old else answer


class Join(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def join(self, fake, addresses=("node1.maas", "10.0.0.5"), **changes):
        """Joins; returns the calls of esxcli, and the failure or None."""
        known = dict({"server": fake.address, "username": "admin", "password": "pässword", "datacenter": "dc1", "ca": fake.ca}, **changes)
        failure = None
        with fake, recorder.Programs("esxcli") as programs:
            def attempt():
                vcenter.join(known, list(addresses))
            try:
                _, self.log = recorder.quietly(attempt)
            except esx.Failed as err:
                failure = str(err)
        return programs.calls, failure

    def test_both_interfaces(self):
        for old in (False, True):
            with self.subTest(old=old):
                fake = VCenter(self.folder.name, old)
                calls, failure = self.join(fake)
                self.assertIsNone(failure)
                spec = fake.added[0]
                self.assertEqual((spec["hostname"], spec["folder"], spec["user_name"]), ("10.0.0.5", "top-id-dc1", "maas-join"))
                self.assertEqual([" ".join(call[:4]) for call, _ in calls],
                                 ["esxcli system account add", "esxcli system permission set", "esxcli system account remove"])
                self.assertIn("--password=" + spec["password"], calls[0][0])
                self.assertNotIn(spec["password"], self.log)
                self.assertEqual(fake.calls[-1].split()[0], "DELETE")

    def test_refused(self):
        """Whatever fails, the account and the session end."""
        fake = VCenter(self.folder.name, reachable=())
        calls, failure = self.join(fake)
        self.assertIn("node1.maas: ", failure)
        self.assertIn("10.0.0.5: ", failure)
        self.assertEqual(calls[-1][0][:4], ["esxcli", "system", "account", "remove"])
        self.assertEqual(fake.calls[-1], "DELETE /api/session")

    def test_said_why(self):
        for changes, centres, part in (
            ({"password": "wrong"}, ("dc1",), "401"),
            ({"datacenter": "dc2"}, ("dc1",), "no data centre dc2"),
            ({"datacenter": None}, ("dc1", "dc2"), "2 data centres"),
        ):
            with self.subTest(part):
                calls, failure = self.join(VCenter(self.folder.name, centres=centres), **changes)
                self.assertIn(part, failure)
                self.assertEqual(calls, [])

    def test_certificate(self):
        with tempfile.TemporaryDirectory() as other:
            stranger = VCenter(other)
            stranger.server.server_close()
        _, failure = self.join(VCenter(self.folder.name), ca=stranger.ca)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", failure)
        _, failure = self.join(VCenter(self.folder.name), ca="")
        self.assertIsNone(failure)
        self.assertIn("vCenter's certificate is not checked", self.log)

    def test_settings(self):
        self.assertEqual(vcenter.settings({"server": "a", "ca": "x", "datacenter": ""}, {"vcenter_server": "b", "vcenter_password": ""}),
                         {"server": "b", "ca": "x"})


if __name__ == "__main__":
    unittest.main()
