"""ESXi's own programs, and the record of what was done and what failed."""

import json
import os
import re
import subprocess
import sys
import time

# esxcli asks the host's agent, which is slow to come up; localcli does without it.
_cli = ["esxcli"]

ROOT = "/"
AGENT_TIMEOUT, AGENT_PAUSE = 300, 5  # seconds


class Failed(Exception):
    """Something that could not be done; the rest goes on."""


class Problems(object):
    """What failed, for the log and for MAAS."""

    def __init__(self):
        self.found = []

    def add(self, message):
        self.found.append(message)
        log("PROBLEM: " + message)


def log(message):
    # First boot has all output in the log, and no locale: Python 3.5 then knows ASCII.
    message = message.encode("ascii", "backslashreplace").decode("ascii")
    print("%s %s" % (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), message))
    sys.stdout.flush()


def path(name):
    """A file of this host."""
    return os.path.join(ROOT, name)


def read(name):
    with open(name, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def write(name, text):
    """Writes a file, and makes its folder."""
    folder = os.path.dirname(name)
    if not os.path.isdir(folder):
        os.makedirs(folder)
    with open(name, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def run(*command, **options):
    """Runs a program and returns what it said. stdin is text for it; secret hides its
    arguments in the log."""
    shown = command[0] if options.get("secret") else " ".join(command)
    log("+ " + shown)
    try:
        process = subprocess.Popen(
            [word.encode("utf-8") for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            output, warnings = process.communicate(options.get("stdin", "").encode("ascii"), timeout=options.get("timeout", 600))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failed("%s did not end in time" % shown)
    except OSError as err:
        raise Failed("%s: %s" % (shown, err))
    output, warnings = output.decode("utf-8", "replace"), warnings.decode("utf-8", "replace").strip()
    if process.returncode != 0:
        raise Failed("%s: exit %d: %s" % (shown, process.returncode, " ".join([warnings, output.strip()]).strip()))
    if warnings:
        log(warnings)
    return output


def esxcli(*args, **options):
    return run(*(tuple(_cli) + args), **options)


def records(*args):
    """What a list command of esxcli says. Versions of ESXi write the names of fields
    differently ("Is Boot Device", "IsBootDevice"): here they are "isbootdevice"."""
    output = run(*(tuple(_cli) + ("--formatter=json",) + args))
    try:
        found = json.loads(output)
    except ValueError:
        raise Failed("%s: not JSON: %s" % (" ".join(args), output.strip()[:200]))
    if isinstance(found, dict):
        found = [found]
    return [dict((re.sub("[^a-z0-9]", "", key.lower()), value) for key, value in record.items()) for record in found]


def wait_for_agent():
    """Waits until esxcli works; if it never does, localcli is used in its place."""
    end = time.time() + AGENT_TIMEOUT
    while True:
        try:
            run("vim-cmd", "hostsvc/runtimeinfo")
            return
        except Failed:
            if time.time() >= end:
                break
            time.sleep(AGENT_PAUSE)
    log("the host's agent does not answer: going on with localcli")
    _cli[0] = "localcli"
