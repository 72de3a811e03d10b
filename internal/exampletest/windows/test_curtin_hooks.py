"""Runs the hooks as curtin does, on volumes shaped like Windows', and has the real
Cloudbase-Init read what they leave there."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock as mock

import windows
from metadata_service import Service
from windows import CONF, HOME

from cloudbaseinit import conf as cloudbase_conf
from cloudbaseinit.metadata.services import maasservice

import tree_sitter
import tree_sitter_powershell

KEYS = b"ssh-ed25519 AAAA it's me\nssh-rsa BBBB \xe2\x80\x99other\n"
VENDOR = b"ntp: {servers: [10.0.0.1], pools: [ntp.example]}\nsystem_info: {default_user: {name: operator}}\n"
FILES = {"meta-data/": b"local-hostname\npublic-keys\n", "meta-data/public-keys": KEYS, "meta-data/vendor-data": VENDOR,
         "meta-data/local-hostname": b"node1.maas", "meta-data/instance-id": b"i-1", "user-data": b"#ps1\n"}
NETWORK = {"version": 1, "config": [
    {"type": "physical", "name": "eth0", "mac_address": "52:54:00:00:00:00", "subnets": [
        {"type": "static", "address": "10.0.0.5/24", "gateway": "10.0.0.1"}]},
    {"type": "nameserver", "address": ["10.0.0.2"], "search": ["maas"]}]}


def cloudconfig(source):
    return {"cloudconfig": {
        "maas-datasource": {"path": "/etc/cloud/cloud.cfg.d/90_maas_datasource.cfg", "content": "datasource_list: [ MAAS ]"},
        "maas-cloud-config": {"path": "x", "content": "#cloud-config\n" + json.dumps({"datasource": {"MAAS": dict(source, timeout=50)}})}}}


def debconf(source):
    credentials = "oauth_consumer_key=%(consumer_key)s&oauth_token_key=%(token_key)s&oauth_token_secret=" % source
    return {"debconf_selections": {"maas": """cloud-init   cloud-init/datasources  multiselect MAAS
cloud-init   cloud-init/maas-metadata-url  string %s
cloud-init   cloud-init/maas-metadata-credentials  string %s
""" % (source["metadata_url"], credentials + source["token_secret"].replace("&", "%26").replace("=", "%3D"))}}


class Deployed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.target = self.folder / "target"

    def lay(self, files=(), home=HOME, hooks="curtin"):
        windows.lay_volume(self.target, files, home)
        shutil.copytree(windows.HOOKS, self.target / hooks)

    def hook(self, name, config, hooks="curtin"):
        """Runs a hook as curtin does: by itself, with two variables."""
        (self.folder / "config").write_text(json.dumps(config))
        environment = dict(os.environ, CONFIG=str(self.folder / "config"), TARGET_MOUNT_POINT=str(self.target),
                           PATH="%s:%s" % (pathlib.Path(sys.executable).parent, os.environ["PATH"]))
        done = subprocess.run([str(self.target / hooks / name)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, timeout=60)
        return done.returncode, done.stdout

    def must(self, name, config, **more):
        code, said = self.hook(name, config, **more)
        self.assertEqual(code, 0, said)
        return said

    def read(self, path):
        return (self.target / path).read_bytes().decode("utf-8")

    def options(self, name="cloudbase-init.conf", home=HOME):
        """Cloudbase-Init's own reading of its configuration."""
        options = cloudbase_conf.CONF
        options(["--config-file", str(self.target / home / "conf" / name)], project="cloudbase-init")
        self.addCleanup(options.reset)
        return options


class Hooks(Deployed):
    maxDiff = None

    def test_all(self):
        """The whole way, with both kinds of MAAS's configuration: Cloudbase-Init gets from
        MAAS all that it has."""
        for kind in (cloudconfig, debconf):
            with self.subTest(kind.__name__), Service(FILES) as service:
                shutil.rmtree(str(self.target), ignore_errors=True)
                self.lay()
                source = dict(service.datasource, metadata_url=service.url + "/" * (kind is cloudconfig))
                config = dict(kind(source), network=NETWORK, license_key="abcde-12345-ABCDE-12345-ABCDE")
                said = self.must("curtin-hooks", config)
                self.assertIn("leaves out cloudbaseinit.plugins.common.networkconfig.NetworkConfigPlugin", said)
                # Reading user-data would end the deployment before Windows has started once.
                self.assertEqual(service.asked, ["2012-03-01/meta-data/public-keys", "2012-03-01/meta-data/vendor-data"])
                self.must("finalize", config)
                self.assertEqual(sorted(os.listdir(str(self.target / "curtin"))), ["network.json"])
                self.check_options()
                self.check_service(service)
                self.check_script()

    def check_options(self):
        for name, patience in (("cloudbase-init.conf", 300), ("cloudbase-init-unattend.conf", 60)):
            options = self.options(name)
            self.assertEqual(options.retry_count * options.retry_count_interval, patience)
            self.assertEqual(options.metadata_services, ["cloudbaseinit.metadata.services.maasservice.MaaSHttpService"])
            self.assertEqual((options.username, options.groups), ("operator", ["Administrators"]))
            self.assertIn("\r\n# what to run\r\n", self.read(HOME + "/conf/" + name))
            self.assertNotIn("of.the.build", self.read(HOME + "/conf/" + name))
        options = self.options()
        self.assertEqual(options.local_scripts_path, "C:\\Program Files\\Cloudbase Solutions\\Cloudbase-Init\\LocalScripts\\")
        self.assertEqual([name.rpartition(".")[2] for name in options.plugins],
                         ["MTUPlugin", "SetHostNamePlugin", "UserDataPlugin", "NetworkConfigPlugin", "LocalScriptsPlugin"])

    def check_service(self, service):
        asked = maasservice.MaaSHttpService()
        asked._enable_retry = False
        self.assertTrue(asked.load())
        self.assertEqual((asked.get_host_name(), asked.get_instance_id()), ("node1.maas", "i-1"))
        self.assertEqual(asked.get_public_keys(), KEYS.decode().splitlines())
        self.assertEqual(asked.get_user_data(), b"#ps1\n")
        with mock.patch.object(maasservice.sys, "platform", "win32"), mock.patch.dict(os.environ, systemdrive="C:"), \
                mock.patch.object(maasservice.os.path, "join", lambda drive, path: str(self.target) + path.replace("\\", "/")):
            details = asked.get_network_details_v2()
        self.assertEqual([(net.link, net.address_cidr) for net in details.networks], [("eth0", "10.0.0.5/24")])

    def check_script(self):
        text = self.read(HOME + "/LocalScripts/maas.ps1")
        self.assertEqual(text[0], "\ufeff")
        self.assertEqual(text.count("\n"), text.count("\r\n"))
        for part in ("'/ipk', 'ABCDE-12345-ABCDE-12345-ABCDE'", "@('ssh-ed25519 AAAA it''s me', 'ssh-rsa BBBB \u2019\u2019other')",
                     "'/manualpeerlist:10.0.0.1,0x8 ntp.example,0x8'", "Set-DnsClientGlobalSetting -SuffixSearchList @('maas') -Confirm:$false",
                     "\\Program Files\\Cloudbase Solutions\\Cloudbase-Init\\conf\\*.conf"):
            self.assertIn(part, text)
        parsed = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language())).parse(text.encode("utf-8"))
        self.assertFalse(parsed.root_node.has_error, parsed.root_node)

    def test_finalize_alone(self):
        """curtin can be told to leave out curtin-hooks; finalize does it all then."""
        with Service(FILES) as service:
            self.lay()
            self.must("finalize", cloudconfig(service.datasource))
        self.assertEqual(os.listdir(str(self.target / "curtin")), [])
        self.assertEqual(self.options().maas.oauth_token_secret, "se&cret=")

    def test_odd_case(self):
        """Linux tells Program Files from program files; Windows does not, and has one."""
        home = "PROGRAM FILES/cloudbase solutions/Cloudbase-INIT"
        with Service(FILES) as service:
            windows.lay_volume(self.target, {home + "/CONF/CloudBase-Init.conf": CONF, home + "/conf/cloudbase-init.conf": None,
                                             home + "/conf/cloudbase-init-unattend.conf": None}, home)
            shutil.copytree(windows.HOOKS, self.target / "Curtin")
            config = dict(cloudconfig(service.datasource), network=NETWORK)
            self.must("curtin-hooks", config, hooks="Curtin")
            said = self.must("finalize", config, hooks="Curtin")
        self.assertEqual(said, "")
        self.assertEqual(sorted(path.name for path in self.target.iterdir()), ["Curtin", "PROGRAM FILES", "Users", "Windows"])
        self.assertEqual(os.listdir(str(self.target / "Curtin")), ["network.json"])
        self.assertEqual(os.listdir(str(self.target / home / "CONF")), ["CloudBase-Init.conf"])
        self.assertIn("oauth_consumer_key=consumer\r\n", self.read(home + "/CONF/CloudBase-Init.conf"))

    def test_silent_maas(self):
        """What MAAS does not answer is left to Cloudbase-Init; the rest is done."""
        self.lay()
        with Service({}) as service:
            said = self.must("curtin-hooks", cloudconfig(dict(service.datasource, token_key="other")))
        self.assertIn("ssh keys are left to Cloudbase-Init", said)
        self.assertIn("HTTP Error 401", said)
        self.assertEqual(self.options().username, "Admin")
        self.assertFalse((self.target / "curtin/network.json").exists())
        self.assertNotIn("authorized_keys", self.read(HOME + "/LocalScripts/maas.ps1"))

    def test_user_who_is_no_administrator(self):
        """Keys of administrators are for administrators."""
        conf = CONF.replace("groups=Administrators", "groups=Users")
        self.lay({HOME + "/conf/cloudbase-init.conf": conf})
        with Service(FILES) as service:
            self.must("curtin-hooks", cloudconfig(service.datasource))
        self.assertNotIn("authorized_keys", self.read(HOME + "/LocalScripts/maas.ps1"))

    def test_windows_10_and_11(self):
        """They are told by their edition, and have no teams."""
        packages = "Windows/servicing/Packages/Microsoft-Windows-%sEdition~31bf3856ad364e35~amd64~~10.0.1.mum"
        bond = {"type": "bond", "name": "bond0", "bond_interfaces": ["eth0"], "subnets": [{"type": "dhcp"}]}
        config = {"network": {"version": 1, "config": [dict(NETWORK["config"][0], subnets=[]), bond]}}
        for editions, client in ((["Professional", "ProfessionalN"], True), (["EnterpriseEval"], True), (["ServerStandardEval"], False), ([], False)):
            with self.subTest(editions), Service({}) as service:
                shutil.rmtree(str(self.target), ignore_errors=True)
                self.lay(dict({packages % edition: "" for edition in editions}, **{packages.replace("10.0.1", "10.0.20348.1") % "ServerStandard": None}))
                said = self.must("curtin-hooks", dict(cloudconfig(service.datasource), **config))
                self.assertEqual("Windows 10 and 11 have no teams" in said, client, said)
                kinds = [item["type"] for item in json.loads(self.read("curtin/network.json"))["config"]]
                self.assertEqual(kinds, ["physical"] if client else ["physical", "bond"])

    def test_no_licence_key(self):
        """MAAS's template says this without a key, in some versions."""
        for key in ("<bound method Node.get_effective_license_key of <Machine: 4y3h7n (node1)>>", "", None):
            with self.subTest(key), Service(FILES) as service:
                shutil.rmtree(str(self.target), ignore_errors=True)
                self.lay()
                said = self.must("curtin-hooks", dict(cloudconfig(service.datasource), license_key=key))
                self.assertEqual("no licence key is set" in said, bool(key))
                self.assertNotIn("/ipk", self.read(HOME + "/LocalScripts/maas.ps1"))

    def test_twice(self):
        """A second run changes nothing more."""
        with Service(FILES) as service:
            self.lay()
            config = cloudconfig(service.datasource)
            self.must("curtin-hooks", config)
            once = self.read(HOME + "/conf/cloudbase-init.conf")
            shutil.copy2(str(windows.HOOKS / "curtin-hooks"), str(self.target / "curtin"))
            self.must("curtin-hooks", config)
        self.assertEqual(self.read(HOME + "/conf/cloudbase-init.conf"), once)


class Refused(Deployed):
    """A deployment that cannot come to a good end ends at once, with a line that says why."""

    SOURCE = {"metadata_url": "http://127.0.0.1:1/MAAS/metadata/", "consumer_key": "c", "token_key": "t", "token_secret": "s"}

    def refused(self, config, part, files=(), home=HOME):
        shutil.rmtree(str(self.target), ignore_errors=True)
        self.lay(files, home)
        code, said = self.hook("curtin-hooks", config)
        self.assertEqual(code, 1, said)
        self.assertTrue(said.splitlines()[-1].startswith("curtin-hooks: "), said)
        self.assertIn(part, said)
        self.assertTrue((self.target / "curtin/curtin-hooks").exists())

    def test_refused(self):
        whole = cloudconfig(self.SOURCE)
        self.refused({}, "has no metadata service")
        self.refused({"cloudconfig": {"x": {"content": "- a"}}, "debconf_selections": {"maas": "a b c"}}, "has no metadata service")
        self.refused(["x"], "is no table")
        self.refused(whole, "there is no Cloudbase-Init", home="Elsewhere")
        self.refused(whole, "conf\\cloudbase-init.conf", {HOME + "/conf/cloudbase-init.conf": None})
        self.refused(dict(whole, network={"version": 3}), "version 3")

    def test_not_utf8(self):
        with Service({}) as service:
            self.lay()
            (self.target / HOME / "conf/cloudbase-init.conf").write_bytes(b"\xff\xfe[\x00")
            code, said = self.hook("curtin-hooks", cloudconfig(service.datasource))
        self.assertEqual(code, 1)
        self.assertIn("C:\\Program Files\\Cloudbase Solutions\\Cloudbase-Init\\conf\\cloudbase-init.conf is not in UTF-8", said)

    def test_no_variables(self):
        self.lay()
        done = subprocess.run([str(self.target / "curtin/curtin-hooks")], env={"PATH": os.environ["PATH"]}, stderr=subprocess.PIPE,
                              universal_newlines=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("CONFIG is not set", done.stderr)

    def test_broken_volume(self):
        from volume import Failed, Volume

        with mock.patch("volume.os.listdir", side_effect=OSError(5, "Input/output error")), self.assertRaisesRegex(Failed, "cannot be read.*output error"):
            Volume(self.folder).find("Windows")

    def test_read_only(self):
        from volume import Failed, Volume

        for code, part in ((30, "mounts it read-only"), (28, "No space left")):
            with self.subTest(part), self.assertRaisesRegex(Failed, part):
                with mock.patch("volume.os.replace", side_effect=OSError(code, os.strerror(code))):
                    Volume(self.folder).write(self.folder, "x", "y")
            self.assertEqual(os.listdir(str(self.folder)), [])


class Outside(Deployed):
    """Links out of the volume lead nowhere: the deploying Ubuntu is not to be changed."""

    def test_links(self):
        outside = self.folder / "outside"
        windows.lay_volume(outside)
        (outside / "curtin").mkdir()
        self.target.mkdir()
        for name in ("Program Files", "curtin", "Windows"):
            os.symlink(str(outside / name), str(self.target / name))
        (self.target / "hooks").mkdir()
        before = self.contents(outside)
        shutil.copytree(windows.HOOKS, self.target / "hooks/curtin")
        code, said = self.hook("curtin-hooks", dict(cloudconfig(Refused.SOURCE), network=NETWORK), hooks="hooks/curtin")
        self.assertEqual(code, 1, said)
        self.assertIn("no Cloudbase-Init", said)
        self.assertEqual(self.contents(outside), before)

    @staticmethod
    def contents(folder):
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    unittest.main()
