"""Makes an ESXi that MAAS has deployed the machine's own, at its first boot.

The installer's answers start it, curtin-hooks laid it here. Nothing that fails keeps the
rest from being done: it is logged, and MAAS is told."""

import json
import os
import shutil
import sys
import traceback

import esx
import metadata
import network
import storage
import userdata
import vcenter

HERE = os.path.dirname(os.path.abspath(__file__))


class FirstBoot(object):
    def __init__(self, config, settings):
        self.config = config
        self.settings = settings
        self.problems = esx.Problems()
        self.maas = None
        if config.get("datasource"):
            self.maas = metadata.Client(config["datasource"], config.get("reporting"))
        self.online = False
        self.reported = 0
        self.vcenter = {}

    def run(self):
        esx.wait_for_agent()
        restore = [self.allow("firewall", self.open_firewall), self.allow("execInstalledOnly", self.allow_scripts)]
        try:
            for step in (self.identity, self.network, self.services, self.storage, self.keys, self.names,
                         self.vendor_data, self.join_vcenter, self.user_data):
                self.guarded(step)
                self.report()
        finally:
            for undo in restore:
                if undo:
                    self.guarded(undo)
        self.guarded(self.save)
        return len(self.problems.found)

    def guarded(self, step):
        try:
            step()
        except esx.Failed as err:
            self.problems.add("%s: %s" % (step.__name__, err))
        except Exception as err:  # whatever it is, the rest has to be done
            esx.log(traceback.format_exc())
            self.problems.add("%s: %r" % (step.__name__, err))

    def allow(self, what, step):
        """Takes a step that is undone at the end; returns what undoes it."""
        try:
            return step()
        except esx.Failed as err:
            esx.log("%s: %s" % (what, err))
            return None

    @staticmethod
    def open_firewall():
        """MAAS's ports, 5240 to 5249, are none that ESXi's firewall lets out."""
        esx.esxcli("network", "firewall", "set", "--enabled=false")

        def close_firewall():
            esx.esxcli("network", "firewall", "set", "--enabled=true")

        return close_firewall

    @staticmethod
    def allow_scripts():
        """Since 8.0, ESXi runs only what its own packages brought."""
        found = esx.records("system", "settings", "advanced", "list", "--option=/User/execInstalledOnly")
        if not found or str(found[0].get("intvalue")) != "1":
            return None
        esx.esxcli("system", "settings", "advanced", "set", "--option=/User/execInstalledOnly", "--int-value=0")

        def forbid_scripts():
            esx.esxcli("system", "settings", "advanced", "set", "--option=/User/execInstalledOnly", "--int-value=1")

        return forbid_scripts

    def identity(self):
        """The host's UUID, which the installer made for the image."""
        path = esx.path("etc/vmware/esx.conf")
        if os.path.exists(path):
            lines = esx.read(path).splitlines(True)
            kept = [line for line in lines if not line.startswith("/system/uuid")]
            if len(kept) != len(lines):
                esx.write(path, "".join(kept))
        esx.esxcli("system", "uuid", "get")  # makes a new one where there is none

    def network(self):
        self.online = True  # by what the installer left, if by nothing else
        network.configure(self.config.get("network") or {}, self.problems)

    def services(self):
        """Who can get in."""
        if self.settings.get("ssh", True):
            esx.run("vim-cmd", "hostsvc/enable_ssh")
            esx.run("vim-cmd", "hostsvc/start_ssh")
        if self.settings.get("shell"):
            esx.run("vim-cmd", "hostsvc/enable_esx_shell")
            esx.run("vim-cmd", "hostsvc/start_esx_shell")

    def storage(self):
        storage.configure(self.config, self.problems)

    def fetch(self, path):
        if self.maas is None:
            raise esx.Failed("curtin's configuration did not say where MAAS's metadata is")
        try:
            return self.maas.get(path)
        finally:
            # The network is up by now, or does not come up any more.
            self.maas.patience = min(self.maas.patience, 30)

    def keys(self):
        keys = self.fetch("meta-data/public-keys")
        userdata.ssh_keys((keys or b"").decode("utf-8").splitlines())

    def names(self):
        name = (self.fetch("meta-data/local-hostname") or b"").decode("utf-8").strip()
        if name:
            userdata.hostname(name)

    def vendor_data(self):
        """What MAAS has for all machines: time servers, vCenter. The hook has read it."""
        data = self.config.get("vendor_data")
        if data is None:
            text = self.fetch("meta-data/vendor-data")
            data = userdata.parse(text.decode("utf-8")) if text else {}
        for item in [item for item in data.get("write_files") or [] if item.get("path") == vcenter.FILE]:
            data["write_files"].remove(item)
            self.vcenter = userdata.parse(item["content"])
        userdata.config(data, self.problems)

    def join_vcenter(self):
        known = vcenter.settings(self.settings.get("vcenter"), self.vcenter)
        missing = [key for key in vcenter.NEEDED if not known.get(key)]
        if missing:
            esx.log("vCenter: not asked for (no %s)" % ", ".join(missing))
            return
        vcenter.join(known, self.addresses())

    @staticmethod
    def addresses():
        """The names that vCenter may know this host by."""
        found = []
        for record in esx.records("system", "hostname", "get"):
            found.append(record.get("fullyqualifieddomainname"))
        for record in esx.records("network", "ip", "interface", "ipv4", "get"):
            found.append(record.get("ipv4address"))
        return [address for address in found if address and address != "0.0.0.0"]

    def user_data(self):
        """The last: with it, MAAS takes the machine for deployed."""
        data = self.fetch("user-data")
        if data:
            userdata.apply(data, self.problems)

    def report(self):
        """Tells MAAS what has failed and was not told yet."""
        for problem in self.problems.found[self.reported:]:
            if not (self.maas and self.online and self.maas.report("esxi-first-boot", problem, failed=True)):
                return
            self.reported += 1

    def save(self):
        """What ESXi keeps over a reboot, it writes once an hour."""
        esx.run("auto-backup.sh")


def main(settings_file):
    failed = 1
    try:
        config, settings = (json.loads(esx.read(path)) for path in (os.path.join(HERE, "config.json"), settings_file))
        failed = FirstBoot(config, settings).run()
    except Exception:  # the log is all that can be told it
        esx.log(traceback.format_exc())
    finally:
        # The machine's credentials, and all that is not needed again.
        os.remove(settings_file)
        shutil.rmtree(HERE, ignore_errors=True)
    esx.log("done, with %d problems" % failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
