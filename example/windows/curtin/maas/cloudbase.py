"""Cloudbase-Init's configuration."""

import re

from volume import Failed

PROGRAMS = ("Program Files", "Program Files (x86)", "")
SERVICE = "cloudbaseinit.metadata.services.maasservice.MaaSHttpService"
# What MAAS cannot do without: the network, the user-data, by which MAAS learns that the
# machine is up, and the script that does the rest.
PLUGINS = (
    "cloudbaseinit.plugins.common.networkconfig.NetworkConfigPlugin",
    "cloudbaseinit.plugins.common.userdata.UserDataPlugin",
    "cloudbaseinit.plugins.common.localscripts.LocalScriptsPlugin",
)
# How often MAAS is asked, every five seconds: a network can take minutes to come up, and
# Cloudbase-Init does not come back before the next start. Windows waits for the first one.
PATIENCE = {"cloudbase-init-unattend.conf": 12, "cloudbase-init.conf": 60}
# The names that the options had before 0.9.12, in the section DEFAULT.
OLD = ("maas_metadata_url", "maas_oauth_consumer_key", "maas_oauth_consumer_secret", "maas_oauth_token_key", "maas_oauth_token_secret")


class Options(object):
    """A file of options, which keeps all that is not changed, comments too."""

    def __init__(self, text):
        self.lines = text.splitlines()

    def get(self, section, name):
        """An option's value, its lines joined; None if it is not set."""
        found = None
        for first, last in self._places(section, name):
            value = re.split("[=:]", self.lines[first], maxsplit=1)[1]
            found = " ".join([value] + self.lines[first + 1 : last]).strip()
        return found

    def set(self, section, name, value):
        self.unset(section, name)
        heads = [i for i, line in enumerate(self.lines) if self._section(line) == section]
        if not heads:
            self.lines.append("[%s]" % section)
            heads = [len(self.lines) - 1]
        # Readers take a dollar sign for a reference to another option.
        self.lines.insert(heads[0] + 1, "%s=%s" % (name, " ".join(str(value).split()).replace("$", "$$")))

    def unset(self, section, name):
        for first, last in reversed(list(self._places(section, name))):
            del self.lines[first:last]

    def text(self):
        return "\n".join(self.lines) + "\n"

    def _places(self, section, name):
        """Where an option is: from its line to that after its last one."""
        at, i = None, 0
        while i < len(self.lines):
            line, i = self.lines[i], i + 1
            at = self._section(line) or at
            if at != section or not re.match(re.escape(name) + r"\s*[=:]", line):
                continue
            first = i - 1
            while i < len(self.lines) and re.match(r"\s+\S", self.lines[i]):
                i += 1
            yield first, i

    @staticmethod
    def _section(line):
        match = re.match(r"\[([^\]]+)\]", line)
        return match and match.group(1)


class Cloudbase(object):
    """Where Cloudbase-Init is on a volume."""

    def __init__(self, volume):
        self.volume = volume
        found = [volume.find(programs + "/Cloudbase Solutions/Cloudbase-Init") for programs in PROGRAMS] + [volume.find("Cloudbase-Init")]
        found = [path for path in found if path is not None and path.is_dir()]
        if not found:
            raise Failed("there is no Cloudbase-Init in Program Files: the image is not made for MAAS")
        self.home = self.volume.shown(found[0])[len("C:\\") :]
        self.main = self._file("cloudbase-init.conf")
        if self.main is None:
            raise Failed("%s has no conf\\cloudbase-init.conf: Cloudbase-Init is not installed whole" % self.home)

    def _file(self, name):
        return self.volume.find(self.home + "/conf/" + name)

    def options(self):
        return Options(self.volume.read(self.main))

    def scripts(self):
        """The folder of scripts that Cloudbase-Init runs once, at the end."""
        set_to = self.options().get("DEFAULT", "local_scripts_path")
        if set_to and re.match(r"[cC]:\\", set_to) and self.volume.find(set_to[2:]):
            return self.volume.find(set_to[2:])
        return self.volume.folder(self.home + "/LocalScripts")

    def configure(self, source, username, log):
        """Points Cloudbase-Init to MAAS, when Windows sets itself up and when it runs."""
        scripts = self.scripts()
        for name in sorted(PATIENCE):
            path = self._file(name)
            if path is None:
                log("%s is not there: Cloudbase-Init waits for Windows to be up" % name)
                continue
            options = Options(self.volume.read(path))
            if options.get("DEFAULT", "retry_count") is None:
                options.set("DEFAULT", "retry_count", PATIENCE[name])
                options.set("DEFAULT", "retry_count_interval", 5)
            point_to_maas(options, source)
            if username:
                options.set("DEFAULT", "username", username)
            if name == "cloudbase-init.conf":
                options.set("DEFAULT", "local_scripts_path", self.volume.shown(scripts) + "\\")
                complete_plugins(options, log)
            self.volume.write(path.parent, path.name, options.text())


def point_to_maas(options, source):
    for name in OLD:
        options.unset("DEFAULT", name)
    options.set("DEFAULT", "metadata_services", SERVICE)
    # It is joined with paths as a browser joins them: without a slash its end is lost.
    options.set("maas", "metadata_base_url", source["metadata_url"].rstrip("/") + "/")
    options.set("maas", "oauth_consumer_key", source["consumer_key"])
    options.set("maas", "oauth_consumer_secret", "")
    options.set("maas", "oauth_token_key", source["token_key"])
    options.set("maas", "oauth_token_secret", source["token_secret"])


def complete_plugins(options, log):
    listed = options.get("DEFAULT", "plugins")
    if listed is None:
        return  # all of those that it has
    plugins = [name.strip() for name in listed.split(",") if name.strip()]
    for name in PLUGINS:
        if name not in plugins:
            log("cloudbase-init.conf leaves out %s; it is added" % name)
            plugins.append(name)
    options.set("DEFAULT", "plugins", ",".join(plugins))
