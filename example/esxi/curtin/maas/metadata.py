"""MAAS's metadata service, and its record of what happens on the machine."""

import email.utils
import json
import random
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

import esx

VERSION = "2012-03-01"
PATIENCE, PAUSE = 300, 5  # seconds, for the network to come up


class Client(object):
    """Talks to MAAS with the machine's own credentials (OAuth 1.0, PLAINTEXT)."""

    def __init__(self, datasource, reporting=None, patience=None):
        self.url = str(datasource["metadata_url"]).rstrip("/")
        self.credentials = datasource
        self.reporting = reporting or {}
        self.patience = PATIENCE if patience is None else patience
        self.skew = 0  # of this host's clock
        # MAAS is on the machine's own network, and its certificate is often its own.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def get(self, path):
        """What the service has at the path, such as meta-data/local-hostname; None for
        nothing."""
        end = time.time() + self.patience
        while True:
            try:
                return self._open("%s/%s/%s" % (self.url, VERSION, path), None, self.credentials)
            except urllib.error.HTTPError as err:
                if err.code == 404:
                    return None
                if err.code < 500 or time.time() >= end:
                    raise esx.Failed("MAAS: %s: %s" % (path, _reason(err)))
            except (OSError, ValueError) as err:
                if time.time() >= end:
                    raise esx.Failed("MAAS: %s: %s" % (path, err))
            time.sleep(PAUSE)

    def report(self, name, description, failed):
        """Adds an event to the machine's in MAAS; says whether it could."""
        if not self.reporting.get("endpoint"):
            return False
        event = {
            "name": name,
            "origin": "esxi",
            "event_type": "finish",
            "result": "FAIL" if failed else "SUCCESS",
            "description": description,
            "timestamp": time.time() + self.skew,
        }
        try:
            self._open(self.reporting["endpoint"], json.dumps(event).encode("utf-8"), self.reporting)
        except (OSError, ValueError) as err:
            esx.log("MAAS was not told: %s" % err)
            return False
        return True

    def _open(self, url, body, credentials):
        try:
            return self._send(url, body, credentials)
        except urllib.error.HTTPError as err:
            # A server's clock is not always this host's, which no NTP has set yet.
            if err.code not in (401, 403) or not self._learn_skew(err):
                raise
            return self._send(url, body, credentials)

    def _send(self, url, body, credentials):
        headers = {"Authorization": authorization(credentials, time.time() + self.skew)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, data=body, headers=headers)
        with self.opener.open(request, timeout=30) as response:
            return response.read()

    def _learn_skew(self, err):
        """Takes the server's time from its refusal; says whether it is another."""
        date = err.headers.get("Date")
        if not date or not email.utils.parsedate_tz(date):
            return False
        skew = email.utils.mktime_tz(email.utils.parsedate_tz(date)) - time.time()
        changed = abs(skew - self.skew) > 60
        self.skew = skew
        return changed


def authorization(credentials, now):
    """The header that signs a request."""
    secrets = [credentials.get("consumer_secret") or "", credentials["token_secret"]]
    fields = [
        ("oauth_nonce", "%032x" % random.SystemRandom().getrandbits(128)),
        ("oauth_timestamp", "%d" % now),
        ("oauth_version", "1.0"),
        ("oauth_signature_method", "PLAINTEXT"),
        ("oauth_consumer_key", credentials["consumer_key"]),
        ("oauth_token", credentials["token_key"]),
        ("oauth_signature", "&".join(urllib.parse.quote(secret, safe="") for secret in secrets)),
    ]
    return "OAuth " + ", ".join('%s="%s"' % (name, urllib.parse.quote(str(value), safe="")) for name, value in fields)


def _reason(err):
    try:
        text = err.read().decode("utf-8", "replace").strip()
    except OSError:
        text = ""
    return "%s %s" % (err, text[:200])
