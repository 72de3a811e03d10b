"""Where MAAS's metadata is, and what it has for a machine."""

import contextlib
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

VERSION = "2012-03-01"


def datasource(config):
    """The metadata's address and the machine's credentials, out of curtin's configuration;
    None if there is none."""
    for part in (config.get("cloudconfig") or {}).values():
        with contextlib.suppress(yaml.YAMLError, AttributeError, KeyError, TypeError):
            found = yaml.safe_load(part["content"])["datasource"]["MAAS"]
            return {key: str(found[key]) for key in ("metadata_url", "consumer_key", "token_key", "token_secret")}
    answers = {}
    for text in (config.get("debconf_selections") or {}).values():
        for line in str(text).splitlines():
            words = line.split(None, 3)
            if len(words) == 4:
                answers[words[1]] = words[3].strip()
    credentials = urllib.parse.parse_qs(answers.get("cloud-init/maas-metadata-credentials", ""))
    try:
        found = {key: credentials["oauth_" + key][0] for key in ("consumer_key", "token_key", "token_secret")}
        return dict(found, metadata_url=answers["cloud-init/maas-metadata-url"])
    except KeyError:
        return None


def get(source, path, patience=30, pause=3):
    """What the service has at a path, as text, or None; and why it could not be had."""
    url = "%s/%s/%s" % (source["metadata_url"].rstrip("/"), VERSION, path)
    # MAAS is on the machine's own network.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.time() + patience
    while True:
        try:
            request = urllib.request.Request(url, headers={"Authorization": authorization(source)})
            with opener.open(request, timeout=10) as answer:
                return answer.read().decode("utf-8", "replace"), None
        except urllib.error.HTTPError as err:
            if err.code == 404:
                return None, None
            if err.code < 500 or time.time() >= end:
                return None, "MAAS: %s: %s" % (path, err)
        except (OSError, ValueError) as err:
            if time.time() >= end:
                return None, "MAAS: %s: %s" % (path, err)
        time.sleep(pause)


def authorization(source):
    """The header that signs a request: OAuth 1.0, PLAINTEXT."""
    fields = [
        ("oauth_nonce", secrets.token_hex(16)),
        ("oauth_timestamp", "%d" % time.time()),
        ("oauth_version", "1.0"),
        ("oauth_signature_method", "PLAINTEXT"),
        ("oauth_consumer_key", source["consumer_key"]),
        ("oauth_token", source["token_key"]),
        ("oauth_signature", "&" + urllib.parse.quote(source["token_secret"], safe="")),
    ]
    return "OAuth " + ", ".join('%s="%s"' % (name, urllib.parse.quote(value, safe="")) for name, value in fields)
