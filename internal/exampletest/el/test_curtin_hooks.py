"""Runs the family's curtin hook on trees shaped like its systems, with a curtin that
behaves as the versions in regions do where they differ."""

import contextlib
import importlib.machinery
import importlib.util
import os
import pathlib
import stat
import sys
import tempfile
import types
import unittest

HOOK = pathlib.Path(__file__).parents[3] / "example/el/curtin/curtin-hooks"

# curtin's own names of systems, by version (curtin/distro.py).
KNOWN = {
    "18.2": {"centos", "fedora", "redhat", "rhel"},
    "22.1": {"centos", "fedora", "redhat", "rhel", "rocky"},
    "24.0": {"centos", "fedora", "redhat", "rhel", "rocky", "ol", "almalinux"},
}
# The releases that curtin starts from a BIOS (curtin/commands/install_grub.py).
BIOS_RELEASES = {"7", "8", "9"}


def load_hook():
    loader = importlib.machinery.SourceFileLoader("curtin_hooks", str(HOOK))
    spec = importlib.util.spec_from_loader("curtin_hooks", loader)
    module = importlib.util.module_from_spec(spec)
    with no_bytecode():
        loader.exec_module(module)
    return module


@contextlib.contextmanager
def no_bytecode():
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


class Curtin:
    """What a version of curtin makes of a target, as far as its boot loader goes."""

    def __init__(self, target, version, uefi, knows_arm64):
        self.target, self.version, self.uefi, self.knows_arm64 = target, version, uefi, knows_arm64
        self.calls, self.loader, self.storage = [], None, False

    def install(self):
        curtin = types.ModuleType("curtin")
        config = types.ModuleType("curtin.config")
        config.load_command_config = lambda args, state: {"storage": {"config": []}}
        util = types.ModuleType("curtin.util")
        util.load_command_environment = lambda: {"target": str(self.target), "config": "/dev/null"}
        util.ChrootableTarget = lambda target: Chroot(self)
        commands = types.ModuleType("curtin.commands")
        curthooks = types.ModuleType("curtin.commands.curthooks")
        curthooks.builtin_curthooks = self.builtin_curthooks
        curthooks.redhat_update_dracut_config = self.redhat_update_dracut_config
        curthooks.redhat_update_initramfs = self.redhat_update_initramfs
        commands.curthooks, self.curthooks = curthooks, curthooks
        curtin.config, curtin.util, curtin.commands = config, util, commands
        for module in (curtin, config, util, commands, curthooks):
            sys.modules[module.__name__] = module

    def redhat_update_dracut_config(self, target, cfg):
        self.storage = True

    def redhat_update_initramfs(self, target, cfg):
        self.redhat_update_dracut_config(target, cfg)
        versions = packages(self.target).get("kernel", [])
        if len(versions) != 1:
            raise RuntimeError("rpm -q kernel: %s" % versions)
        self.calls.append(("dracut", versions[0]))

    def builtin_curthooks(self, cfg, target, state):
        release = dict(
            line.split("=", 1) for line in (self.target / "etc/os-release").read_text().split("\n") if "=" in line
        )
        names = [release["ID"].strip('"')] + release["ID_LIKE"].strip('"').split()
        variant = next((n for n in names if n in KNOWN[self.version]), None)
        if variant is None:
            raise ValueError("Unknown distro: %s" % names)
        self.curthooks.redhat_update_initramfs(target, cfg)
        if self.uefi:
            self.install_efi("redhat" if variant in ("rhel", "ol") else variant)
        elif self.rhel() not in BIOS_RELEASES:
            raise ValueError("Unsupported RHEL version: %s" % self.rhel())
        else:
            self.calls.append(("grub2-install", self.rhel()))

    def rhel(self):
        """rpm -E %rhel: the last definition holds."""
        values = [
            line.split()[1]
            for file in sorted((self.target / "usr/lib/rpm/macros.d").glob("macros.*"))
            + sorted((self.target / "etc/rpm").glob("macros.*"))
            for line in file.read_text().splitlines()
            if line.startswith("%rhel ")
        ]
        return values[-1] if values else "%rhel"

    def install_efi(self, bootid):
        efi = self.target / "boot/efi/EFI"
        names = ["shimx64.efi"] + (["shimaa64.efi"] if self.knows_arm64 else [])
        found = [efi / bootid / name for name in names if (efi / bootid / name).exists()]
        if not found:
            raise RuntimeError("no loader in EFI/%s: grub2-install would replace the signed one" % bootid)
        self.loader = found[0].relative_to(self.target)
        config = efi / bootid / "grub.cfg"
        if config.exists():
            raise RuntimeError("grub2-mkconfig: will overwrite the GRUB wrapper")
        config.write_text("menu of this machine")


class Chroot:
    def __init__(self, curtin):
        self.curtin = curtin

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return False

    def subp(self, command):
        self.curtin.calls.append(("dracut", command[-1]))


def packages(target):
    names = {}
    for line in (target / "rpmdb").read_text().splitlines():
        name, version = line.split()
        names.setdefault(name, []).append(version)
    return names


class HookTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.target = pathlib.Path(folder.name)
        self.addCleanup(lambda: [sys.modules.pop(n) for n in list(sys.modules) if n.split(".")[0] == "curtin"])

    def tree(self, ident, like, vendor, arch="x64", release="9", kernels=("kernel 5.14.0-1.el9.x86_64",), wrapper=True):
        """A tree as the family's installers leave it."""
        for name, text in {
            "usr/lib/os-release": 'NAME="X"\nID="%s"\nID_LIKE="%s"\n' % (ident, like),
            "usr/lib/rpm/macros.d/macros.dist": "%%rhel %s\n" % release if release else "",
            "rpmdb": "\n".join(kernels),
            "boot/efi/EFI/BOOT/BOOT%s.EFI" % arch.upper(): "shim",
            "boot/efi/EFI/BOOT/fb%s.efi" % arch: "fallback",
            "boot/efi/EFI/%s/shim%s.efi" % (vendor, arch): "shim of " + vendor,
            "boot/efi/EFI/%s/grub%s.efi" % (vendor, arch): "grub of " + vendor,
            "curtin/curtin-hooks": "#!/usr/bin/env python3\n",
        }.items():
            path = self.target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if wrapper:
            (self.target / "boot/efi/EFI" / vendor / "grub.cfg").write_text("configfile $prefix/grub.cfg")
        (self.target / "etc").mkdir()
        os.symlink("../usr/lib/os-release", self.target / "etc/os-release")

    def run_hook(self, version="24.0", uefi=True, knows_arm64=False):
        curtin = Curtin(self.target, version, uefi, knows_arm64)
        curtin.install()
        hook = load_hook()
        hook.packages = lambda target, name: packages(target).get(name, [])
        hook.log = lambda message: None
        hook.main()
        return curtin

    def check_own(self):
        """The system is its own again."""
        self.assertEqual(os.readlink(self.target / "etc/os-release"), "../usr/lib/os-release")
        self.assertFalse((self.target / "etc/rpm/macros.curtin").exists())
        self.assertEqual([p.name for p in self.target.rglob("*.curtin-hooks")], [])
        self.assertFalse((self.target / "curtin").exists())

    def test_systems(self):
        systems = {
            "rocky": ("rhel centos fedora", "rocky"),
            "almalinux": ("rhel centos fedora", "almalinux"),
            "ol": ("fedora", "redhat"),
            "rhel": ("fedora", "redhat"),
            "centos": ("rhel fedora", "centos"),
            "openEuler": ("", "openEuler"),
            "fedora": ("", "fedora"),
        }
        for ident, (like, vendor) in systems.items():
            for version in KNOWN:
                for arch, knows in (("x64", False), ("aa64", False), ("aa64", True)):
                    with self.subTest(ident=ident, curtin=version, arch=arch, knows=knows):
                        self.setUp()
                        self.tree(ident, like, vendor, arch)
                        curtin = self.run_hook(version, knows_arm64=knows)
                        self.check_own()
                        shim = self.target / curtin.loader
                        self.assertEqual(shim.read_text(), "shim of " + vendor)
                        # shim starts the grub that was built with it, by its own name ...
                        self.assertEqual((shim.parent / ("grub%s.efi" % arch)).read_text(), "grub of " + vendor)
                        # ... and that looks for its menu in its vendor's folder.
                        menu = self.target / "boot/efi/EFI" / vendor / "grub.cfg"
                        self.assertEqual(menu.read_text(), "menu of this machine")
                        self.assertEqual(curtin.calls, [("dracut", "5.14.0-1.el9.x86_64")])

    def test_without_hook_curtin_fails(self):
        """The stand-in fails where curtin does, so the test above can fail."""
        for ident, like, vendor, version in (
            ("openEuler", "", "openEuler", "24.0"),
            ("almalinux", "rhel", "almalinux", "22.1"),
            ("rocky", "rhel", "rocky", "24.0"),
        ):
            with self.subTest(ident=ident):
                self.setUp()
                self.tree(ident, like, vendor)
                curtin = Curtin(self.target, version, True, False)
                curtin.install()
                with self.assertRaises((ValueError, RuntimeError)):
                    curtin.builtin_curthooks({}, str(self.target), {})

    def test_bios(self):
        for ident, release in (("rhel", "10"), ("rocky", "10"), ("fedora", ""), ("openEuler", "")):
            with self.subTest(ident=ident):
                self.setUp()
                self.tree(ident, "", ident, release=release)
                curtin = self.run_hook(uefi=False)
                self.check_own()
                self.assertIn(("grub2-install", "9"), curtin.calls)

    def test_kernel_uek(self):
        self.tree("ol", "fedora", "redhat", kernels=("kernel-uek 5.15.0-200.el9uek.x86_64",))
        curtin = self.run_hook()
        self.assertEqual(curtin.calls, [("dracut", "5.15.0-200.el9uek.x86_64")])
        self.assertTrue(curtin.storage)
        self.check_own()

    def test_kernel_uek_beside_kernel(self):
        self.tree("ol", "fedora", "redhat", kernels=("kernel 5.14.0-1.el9.x86_64", "kernel-uek 5.15.0-2.el9uek.x86_64"))
        self.assertEqual(self.run_hook().calls, [("dracut", "5.14.0-1.el9.x86_64")])

    def test_no_kernel(self):
        self.tree("ol", "fedora", "redhat", kernels=("kernel-core 1-1.x86_64",))
        with self.assertRaisesRegex(SystemExit, "neither the package kernel nor kernel-uek"):
            self.run_hook()
        self.assertEqual(os.readlink(self.target / "etc/os-release"), "../usr/lib/os-release")

    def test_failure_passes_through(self):
        """What curtin refuses fails the deployment, with the system as it was."""
        self.tree("rocky", "rhel", "rocky", kernels=("kernel 1-1.x86_64", "kernel 2-1.x86_64"))
        with self.assertRaisesRegex(RuntimeError, "rpm -q kernel"):
            self.run_hook()
        self.assertEqual(os.readlink(self.target / "etc/os-release"), "../usr/lib/os-release")

    def test_is_a_hook(self):
        self.assertTrue(HOOK.stat().st_mode & stat.S_IXUSR)
        self.assertEqual(HOOK.read_bytes().split(b"\n")[0], b"#!/usr/bin/env python3")


if __name__ == "__main__":
    unittest.main()
