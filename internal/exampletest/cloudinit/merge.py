"""Reads a folder of settings as cloud-init does, with cloud-init's own code, and prints
what it makes of them: where it asks for a machine's data, and which account it makes.

    merge.py cloud.cfg DISTRO"""

import json
import sys

from cloudinit import sources, util
from cloudinit.distros import fetch, ug_util


def main(config, name):
    cfg = util.read_conf_with_confd(config)
    distro = fetch(name)(name, cfg["system_info"], None)
    users, _ = ug_util.normalize_users_groups(cfg, distro)
    found = sources.list_sources(cfg["datasource_list"], [sources.DEP_FILESYSTEM, sources.DEP_NETWORK], ["cloudinit.sources"])
    print(json.dumps({"sources": [source.__name__ for source in found], "users": users}))


main(*sys.argv[1:])
