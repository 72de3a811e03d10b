"""User-data and vendor-data: scripts, and those parts of cloud-config that ESXi can do."""

import base64
import email
import gzip
import json
import os
import re
import sys

import esx

# What ESXi has for the interpreters that scripts name.
INTERPRETERS = {"sh": ["/bin/sh"], "bash": ["/bin/sh"], "ash": ["/bin/sh"], "python": [sys.executable], "python3": [sys.executable]}


def apply(data, problems):
    """Does what user-data says: a script, cloud-config, or several of them in MIME."""
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    for number, (kind, text) in enumerate(_parts(data)):
        try:
            if kind == "script":
                _script(text, esx.path("tmp/maas-user-data-%d" % number))
            elif kind == "config":
                config(parse(text), problems)
            elif text.strip():
                problems.add("user-data: part %d (%s) is neither a script nor cloud-config" % (number + 1, kind))
        except (esx.Failed, ValueError, OSError) as err:
            problems.add("user-data: part %d: %s" % (number + 1, err))


def _parts(data):
    """The kinds and texts in user-data."""
    text = data.decode("utf-8", "replace")
    if not re.match(r"(?i)(content-type|mime-version):", text):
        return [(_kind(text), text)]
    parts = []
    for part in email.message_from_string(text).walk():
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True) or b""
        text = payload.decode("utf-8", "replace")
        kind = {"text/x-shellscript": "script", "text/cloud-config": "config"}.get(part.get_content_type())
        parts.append((kind or _kind(text), text))
    return parts


def _kind(text):
    first = text.lstrip("\n").split("\n", 1)[0].strip()
    if first.startswith("#!"):
        return "script"
    if first in ("#cloud-config", "#cloud-config-jsonp") or text.lstrip().startswith("{"):
        return "config"
    return first[:40]


def _script(text, path):
    """Runs a script by its first line, for ESXi does not start programs that are not of
    its own packages."""
    esx.write(path, text.lstrip("\n"))
    words = text.lstrip("\n").split("\n", 1)[0][2:].split()
    if words and os.path.basename(words[0]) == "env":
        words = words[1:]
    if not words:
        words = ["sh"]
    command = INTERPRETERS.get(os.path.basename(words[0]), [words[0]]) + words[1:]
    try:
        esx.log(esx.run(*(command + [path]), timeout=3600).rstrip())
    finally:
        os.remove(path)


def parse(text):
    """Reads cloud-config: JSON, or YAML with the parser that the hook brought along."""
    try:
        return json.loads(re.sub(r"\A\s*#cloud-config.*\n", "", text)) or {}
    except ValueError:
        pass
    try:
        import yaml
    except (ImportError, SyntaxError):
        raise esx.Failed("this ESXi cannot run the YAML parser it was given; write the cloud-config as JSON, or a script")
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as err:
        raise esx.Failed("not YAML: %s" % err)


def config(settings, problems):
    """Does what ESXi can do of cloud-config."""
    if not isinstance(settings, dict):
        problems.add("cloud-config: not a mapping")
        return
    for name in ORDER:
        if settings.get(name):
            try:
                ORDER_OF[name](settings[name])
            except (esx.Failed, KeyError, TypeError, ValueError, OSError) as err:
                problems.add("cloud-config: %s: %s" % (name, err if isinstance(err, esx.Failed) else repr(err)))
    for name in sorted(set(settings) - set(ORDER)):
        esx.log("cloud-config: %s means nothing to ESXi" % name)


def write_files(files):
    for item in files:
        content = item.get("content") or ""
        encoding = str(item.get("encoding") or "").lower()
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        if "b64" in encoding or "base64" in encoding:
            data = base64.b64decode(data)
        if encoding.startswith("gz"):
            data = gzip.decompress(data)
        folder = os.path.dirname(item["path"])
        if not os.path.isdir(folder):
            os.makedirs(folder)
        with open(item["path"], "ab" if item.get("append") else "wb") as file:
            file.write(data)
        if item.get("permissions"):
            os.chmod(item["path"], int(str(item["permissions"]), 8))


def runcmd(commands):
    failed = []
    for command in commands:
        arguments = [str(part) for part in command] if isinstance(command, list) else ["/bin/sh", "-c", str(command)]
        try:
            esx.log(esx.run(*arguments, timeout=3600).rstrip())
        except esx.Failed as err:
            failed.append(str(err))
    if failed:
        raise esx.Failed("; ".join(failed))


def ssh_keys(keys):
    """Lets keys log in as root; once each."""
    path = esx.path("etc/ssh/keys-root/authorized_keys")
    there = []
    if os.path.exists(path):
        there = esx.read(path).splitlines()
    new = []
    for key in map(str.strip, keys):
        if key and key not in there + new:
            new.append(key)
    if new:
        esx.write(path, "\n".join(there + new) + "\n")
        os.chmod(path, 0o600)


def ntp(settings):
    """The time servers: by esxcli since 7.0, by the service's own file before."""
    if settings.get("enabled") is False:
        return
    servers = [str(server) for server in (settings.get("servers") or []) + (settings.get("pools") or [])]
    if not servers:
        return
    try:
        esx.esxcli("system", "ntp", "set", "--enabled=true", *["--server=" + server for server in servers])
    except esx.Failed:
        path = esx.path("etc/ntp.conf")
        there = esx.read(path) if os.path.exists(path) else ""
        esx.write(path, there + "".join("server %s\n" % server for server in servers))
        esx.run("chkconfig", "ntpd", "on")
        esx.run("/etc/init.d/ntpd", "restart")


def hostname(name):
    esx.esxcli("system", "hostname", "set", ("--fqdn=" if "." in name else "--host=") + name)


ORDER_OF = {
    "bootcmd": runcmd,
    "fqdn": hostname,
    "hostname": hostname,
    "ntp": ntp,
    "runcmd": runcmd,
    "ssh_authorized_keys": ssh_keys,
    "write_files": write_files,
}
ORDER = ["bootcmd", "hostname", "fqdn", "ntp", "ssh_authorized_keys", "write_files", "runcmd"]
