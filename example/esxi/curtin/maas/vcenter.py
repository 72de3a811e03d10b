"""Has vCenter take this host into its inventory."""

import base64
import binascii
import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request

import esx

ACCOUNT = "maas-join"  # only while vCenter joins; it makes its own account, vpxuser
FILE = "/altbootbank/maas/vcenter.yaml"  # as MAAS's vendor-data hands its settings over
NEEDED = ("server", "username", "password")


def settings(given, data):
    """What is known of vCenter: MAAS's settings win over the image's."""
    known = dict((key, value) for key, value in (given or {}).items() if value)
    for key, value in (data or {}).items():
        if key.startswith("vcenter_") and value:
            known[key[len("vcenter_"):]] = value
    return known


def join(known, addresses):
    """Joins by the first of this host's names and addresses that vCenter can reach."""
    client = Client(known["server"], known.get("ca", ""))
    client.log_in(known["username"], known["password"])
    try:
        folder = client.folder(known.get("datacenter"))
        password = _add_account()
        try:
            _try(client, addresses, password, folder)
        finally:
            esx.esxcli("system", "account", "remove", "--id=" + ACCOUNT)
    finally:
        client.log_out()


def _try(client, addresses, password, folder):
    failures = []
    for address in addresses:
        try:
            client.add(address, ACCOUNT, password, folder)
            esx.log("vCenter has this host as %s" % address)
            return
        except esx.Failed as err:
            failures.append("%s: %s" % (address, err))
    raise esx.Failed("vCenter does not take this host: " + "; ".join(failures))


def _add_account():
    # Of all the kinds of characters that ESXi's rules ask for.
    password = "Aa1!" + binascii.hexlify(os.urandom(14)).decode("ascii")
    esx.esxcli("system", "account", "add", "--id=" + ACCOUNT, "--description=for vCenter to join",
               "--password=" + password, "--password-confirmation=" + password, secret=True)
    esx.esxcli("system", "permission", "set", "--id=" + ACCOUNT, "--role=Admin")
    return password


class Client(object):
    """vCenter's REST interface: /api since 7.0 U2, /rest before."""

    def __init__(self, server, ca):
        self.server = server
        self.session = None
        self.api = True
        if ca:
            context = ssl.create_default_context(cadata=ca)
        else:
            # vCenter's own authority is known to no host that has not joined yet.
            esx.log("vCenter's certificate is not checked: the image has no vcenter_ca")
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def log_in(self, username, password):
        basic = base64.b64encode(("%s:%s" % (username, password)).encode("utf-8")).decode("ascii")
        headers = {"Authorization": "Basic " + basic}
        self.session = self.call("POST", "/api/session", headers=headers, missing=True)
        if self.session is None:
            self.api = False
            self.session = self.call("POST", "/rest/com/vmware/cis/session", headers=headers)

    def log_out(self):
        try:
            self.call("DELETE", "/api/session" if self.api else "/rest/com/vmware/cis/session")
        except esx.Failed as err:
            esx.log(str(err))

    def folder(self, datacenter):
        """The folder for hosts of a data centre; of the only one, if none is named."""
        found = self.list("datacenter", {"names": datacenter} if datacenter else {})
        if len(found) != 1:
            raise esx.Failed("vCenter has %s%s; name one as vcenter_datacenter"
                             % ("no data centre" if not found else "%d data centres" % len(found),
                                " " + datacenter if datacenter else ""))
        folders = self.list("folder", {"type": "HOST", "datacenters": found[0]["datacenter"]})
        if not folders:
            raise esx.Failed("vCenter has no folder for hosts in %s" % found[0]["name"])
        # The data centre's own has the name "host"; others are inside it.
        return sorted(folders, key=lambda folder: folder.get("name") != "host")[0]["folder"]

    def list(self, kind, query):
        if not self.api:
            query = dict(("filter." + key, value) for key, value in query.items())
        path = ("/api/vcenter/" if self.api else "/rest/vcenter/") + kind
        return self.call("GET", path + "?" + urllib.parse.urlencode(sorted(query.items()))) or []

    def add(self, address, username, password, folder):
        spec = {"hostname": address, "user_name": username, "password": password, "folder": folder,
                "thumbprint_verification": "NONE", "force_add": True}
        self.call("POST", "/api/vcenter/host" if self.api else "/rest/vcenter/host", spec if self.api else {"spec": spec})

    def call(self, method, path, body=None, headers=None, missing=False):
        """One call. Older vCenters have the answer in "value"."""
        headers = dict(headers or {})
        if self.session:
            headers["vmware-api-session-id"] = self.session
        data = None if body is None else json.dumps(body).encode("utf-8")
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request("https://" + self.server + path, data=data, headers=headers)
        request.get_method = lambda: method
        try:
            with self.opener.open(request, timeout=120) as response:
                text = response.read().decode("utf-8")
            answer = json.loads(text) if text else None
        except urllib.error.HTTPError as err:
            if missing and err.code in (404, 405):
                return None
            raise esx.Failed("vCenter: %s %s: %s %s" % (method, path.split("?")[0], err, err.read().decode("utf-8", "replace")[:300]))
        except (OSError, ValueError) as err:
            raise esx.Failed("vCenter: %s %s: %s" % (method, path.split("?")[0], err))
        return answer["value"] if isinstance(answer, dict) and "value" in answer else answer
