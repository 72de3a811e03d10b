"""Configures the Windows that curtin laid on a machine's disk."""

import json
import os
import pathlib
import re
import sys

import yaml

import cloudbase
import metadata
import netconf
import network
import script
from volume import Failed, Volume

KEY = re.compile(r"([A-Z0-9]{5}-){4}[A-Z0-9]{5}$")
HOOKS = "curtin"  # the folder that curtin knows the volume by


def log(message):
    print("curtin-hooks: %s" % message, file=sys.stderr, flush=True)


def run(name, action):
    """Runs a hook. What fails it, is said in a line that MAAS shows."""
    try:
        action(read_config(), Volume(setting("TARGET_MOUNT_POINT")))
    except Failed as err:
        sys.exit("%s: %s" % (name, err))


def setting(name):
    if not os.environ.get(name):
        raise Failed("%s is not set: curtin runs this, and says so" % name)
    return os.environ[name]


def read_config():
    path = setting("CONFIG")
    try:
        with open(path) as file:
            config = yaml.safe_load(file) or {}  # JSON is YAML
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise Failed("curtin's configuration cannot be read: %s: %s" % (path, err))
    if not isinstance(config, dict):
        raise Failed("curtin's configuration is no table: %s" % path)
    return config


def configure(config, volume):
    """Does all that there is to do, and removes the hook: it is done."""
    source = metadata.datasource(config)
    if source is None:
        raise Failed("MAAS's configuration has no metadata service: Windows could not tell MAAS that it is up")
    installed = cloudbase.Cloudbase(volume)
    made = script.Script()
    if "network" in config:
        configure_network(config, volume, made)
    username = from_maas(installed, source, made)
    key = str(config.get("license_key") or "").strip().upper()
    if KEY.match(key):
        script.licence(made, key)
    elif key:
        # Some versions of MAAS write "<bound method ..." where there is no key.
        log("no licence key is set: what MAAS has for one does not look like XXXXX-XXXXX-XXXXX-XXXXX-XXXXX")
    script.close_off(made, installed.home)
    volume.write(installed.scripts(), script.NAME, made.text(), mark=True)
    installed.configure(source, username, log)
    volume.remove(volume.find(HOOKS + "/curtin-hooks"))
    log("Windows configures itself at its first start, by what is now in %s" % installed.home)


def configure_network(config, volume, made):
    planned = network.plan(netconf.read(config), is_client(volume))
    for problem in planned.problems:
        log("network: " + problem)
    wanted = {"version": 1, "config": planned.items}
    volume.write(volume.folder(HOOKS), "network.json", json.dumps(wanted, indent=2))
    script.network(made, planned.commands)


def is_client(volume):
    """Whether it is Windows 10 or 11, by the packages of its edition."""
    packages = volume.find("Windows/servicing/Packages")
    names = os.listdir(str(packages)) if packages else []
    editions = [re.match(r"microsoft-windows-(\w+)edition~", name.lower()) for name in names]
    editions = [match.group(1) for match in editions if match]
    return bool(editions) and not any(edition.startswith("server") for edition in editions)


def from_maas(installed, source, made):
    """Asks MAAS for what Cloudbase-Init does not do; returns the name of the user."""
    keys, failure = metadata.get(source, "meta-data/public-keys")
    if failure:
        log("%s; ssh keys are left to Cloudbase-Init" % failure)
    groups = installed.options().get("DEFAULT", "groups")
    if keys and keys.strip() and (groups is None or "administrators" in groups.lower()):
        script.ssh_keys(made, [line.strip() for line in keys.splitlines() if line.strip()])
    text, failure = metadata.get(source, "meta-data/vendor-data")
    if failure:
        log("%s; the user and the time servers are the image's" % failure)
    try:
        data = yaml.safe_load(text or "") or {}
        ntp = data.get("ntp") or {}
        servers = (ntp.get("servers") or []) + (ntp.get("pools") or [])
        user = ((data.get("system_info") or {}).get("default_user") or {}).get("name")
    except (yaml.YAMLError, AttributeError) as err:
        log("MAAS's vendor-data cannot be read: %s" % err)
        return None
    if servers:
        script.time_servers(made, [str(server) for server in servers])
    return user


def finish(config, volume):
    """Removes what was for the deployment alone; network.json is Cloudbase-Init's."""
    if volume.find(HOOKS + "/curtin-hooks"):
        configure(config, volume)
    for script_file in sorted(pathlib.Path(__file__).resolve().parent.glob("*.py")):
        volume.remove(volume.find("%s/maas/%s" % (HOOKS, script_file.name)))
    folder = volume.find(HOOKS + "/maas")
    if folder is not None and not os.listdir(str(folder)):
        os.rmdir(str(folder))
    volume.remove(volume.find(HOOKS + "/finalize"))
