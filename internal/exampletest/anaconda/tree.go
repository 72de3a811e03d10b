package anaconda

import (
	"fmt"
	"maps"
	"strings"
)

// tree are files by their path: what is in them, "-> target" for a symbolic
// link. A path that ends in a slash is a folder.
type tree map[string]string

// machineID is of the build's machine.
const machineID = "5f7ac8e2c4f14f0f9f0e3d1c2b3a4958"

// files are those of the packages that matter to a deployment.
func (i *Install) files() tree {
	lib := "usr/lib/" + i.Python + "/site-packages/"
	of := map[string]tree{
		"bash":           {"usr/bin/bash": i.program(), "usr/bin/sh": "-> bash"},
		"rpm":            {"usr/bin/rpm": i.program()},
		"dracut":         {"usr/bin/dracut": "#!/usr/bin/bash\n"},
		"systemd":        {"usr/lib/systemd/systemd": i.program(), "usr/sbin/init": "-> ../lib/systemd/systemd", "var/lib/systemd/random-seed": "seed"},
		"NetworkManager": {"usr/sbin/NetworkManager": i.program(), "usr/bin/nmcli": i.program()},
		"openssh-server": {"usr/sbin/sshd": i.program(), "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\n", "etc/ssh/sshd_config.d/50-redhat.conf": "X11Forwarding yes\n", "etc/systemd/system/multi-user.target.wants/sshd.service": "-> /usr/lib/systemd/system/sshd.service"},
		"shadow-utils":   {"usr/bin/newuidmap": i.program()},
		"sudo":           {"etc/sudoers": "root\tALL=(ALL) \tALL\n%wheel\tALL=(ALL)\tALL\n# %wheel ALL=(ALL) NOPASSWD: ALL\n", "etc/sudoers.d/": ""},
		"yum":            {"etc/dnf/dnf.conf": "[main]\ngpgcheck=1\nproxy=http://proxy.example:3128\n", "var/cache/dnf/expired": "x"},
		"selinux-policy-targeted": {
			"etc/selinux/config": "# enforcing - SELinux security policy is enforced.\nSELINUX=enforcing\nSELINUXTYPE=targeted\n",
		},
		"cloud-utils-growpart": {"usr/bin/growpart": "#!/bin/sh\n"},
		"efibootmgr":           {"usr/sbin/efibootmgr": i.program()},
		"python2-oauthlib":     {lib + "oauthlib/__init__.py": ""},
		"python3-oauthlib":     {lib + "oauthlib/__init__.py": ""},
		"cloud-init":           i.cloudInit(lib),
		"shim-x64":             i.shim("x64"), "shim-aa64": i.shim("aa64"), "shim": i.shim(i.efi()),
		"grub2-efi-x64": i.grub("x64"), "grub2-efi-aa64": i.grub("aa64"),
		"kernel": i.kernel(i.Kernel), "kernel-uek": i.kernel(i.UEK),
		"filesystem": {
			"bin": "-> usr/bin", "sbin": "-> usr/sbin", "lib": "-> usr/lib", "lib64": "-> usr/lib64", "usr/lib64/": "",
			"proc/": "", "sys/": "", "dev/": "", "run/": "", "tmp/": "", "home/": "", "root/": "", "boot/efi/": "", "etc/yum.repos.d/system.repo": "[base]\n",
		},
		"release": {"usr/lib/os-release": i.Release, "etc/os-release": "-> ../usr/lib/os-release", "usr/lib/rpm/macros.d/macros.dist": "%dist ." + i.Dist + "\n"},
	}
	files := tree{}
	for _, name := range i.packages {
		maps.Copy(files, of[name])
	}
	if i.Dist == "fc43" { // which has one folder for programs
		for at, text := range files {
			if name, ok := strings.CutPrefix(at, "usr/sbin/"); ok {
				delete(files, at)
				files["usr/bin/"+name] = text
			}
		}
		files["usr/sbin"] = "-> bin"
	}
	return files
}

func (i *Install) cloudInit(lib string) tree {
	files := tree{
		"usr/bin/cloud-init": "#!/usr/bin/python3\n", lib + "cloudinit/sources/DataSourceMAAS.py": "",
		"etc/cloud/cloud.cfg":                      "users:\n  - default\ndisable_root: true\nssh_pwauth: false\n",
		"etc/cloud/cloud.cfg.d/05_logging.cfg":     "output: {all: '| tee -a /var/log/cloud-init-output.log'}\n",
		"usr/lib/systemd/system/cloud-init.target": "",
	}
	for _, unit := range i.Units {
		files["usr/lib/systemd/system/"+unit+".service"] = "[Install]\nWantedBy=cloud-init.target\n"
	}
	return files
}

func (i *Install) shim(efi string) tree {
	files := tree{"boot/efi/EFI/BOOT/fb" + efi + ".efi": i.loader(), "boot/efi/EFI/BOOT/BOOT" + strings.ToUpper(efi) + ".EFI": i.loader()}
	for _, name := range []string{"shim", "mm"} {
		files["boot/efi/EFI/"+i.Vendor+"/"+name+efi+".efi"] = i.loader()
	}
	return files
}

func (i *Install) grub(efi string) tree {
	files := tree{"boot/efi/EFI/" + i.Vendor + "/grub" + efi + ".efi": i.loader(), "boot/grub2/": ""}
	if i.Dist == "el7" || i.Dist == "el8" {
		files["boot/grub2/grubenv"] = "-> ../efi/EFI/" + i.Vendor + "/grubenv"
		files["boot/efi/EFI/"+i.Vendor+"/grubenv"] = "# GRUB Environment Block\nkernelopts=root=UUID=" + rootID + " ro\n"
	}
	return files
}

// kernel is a kernel with its drivers, the initial RAM disk that its package
// makes for the machine that it is installed on, and its entry in the menu.
func (i *Install) kernel(version string) tree {
	if version == "" {
		return nil
	}
	version += "." + i.machine()
	modules := "usr/lib/modules/" + version + "/"
	files := tree{
		"boot/vmlinuz-" + version: i.loader(), "boot/config-" + version: "CONFIG_SMP=y\n", "boot/System.map-" + version: "",
		"boot/vmlinuz-0-rescue-" + machineID: i.loader(), "boot/initramfs-0-rescue-" + machineID + ".img": i.ramdisks[hostOnly],
		"boot/initramfs-" + version + ".img": i.ramdisks[hostOnly],
		modules + "modules.builtin":          "kernel/fs/ext4/ext4.ko\n",
	}
	for _, driver := range drivers {
		files[modules+"kernel/drivers/"+driver+".ko.xz"] = ""
	}
	if i.entries {
		entry := fmt.Sprintf("title X (%[1]s)\nversion %[1]s\nlinux /vmlinuz-%[1]s\ninitrd /initramfs-%[1]s.img\noptions root=%[2]s ro crashkernel=1G\n", version, i.root())
		files["boot/loader/entries/"+machineID+"-"+version+".conf"] = entry
		files["boot/loader/entries/"+machineID+"-0-rescue.conf"] = entry
	}
	return files
}

// installer are the files that anaconda itself writes.
func (i *Install) installer() tree {
	files := tree{
		"etc/fstab": i.fstab(), "etc/machine-id": machineID + "\n", "etc/hostname": "localhost.localdomain\n",
		"etc/resolv.conf":        "# Generated by NetworkManager\nnameserver 10.0.2.3\n",
		"etc/passwd":             "root:x:0:0:root:/root:/bin/bash\nsshd:x:74:74::/usr/share/empty.sshd:/sbin/nologin\n",
		"etc/shadow":             "root:$6$salt$hash:20000:0:99999:7:::\nsshd:!!:20000::::::\n",
		"etc/default/grub":       "GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX=\"" + i.arguments() + "\"\nGRUB_ENABLE_BLSCFG=" + fmt.Sprint(i.entries) + "\n",
		"boot/grub2/grub.cfg":    "set kernelopts=\"root=" + i.root() + "\"\n",
		"root/anaconda-ks.cfg":   "rootpw --iscrypted $6$salt$hash\n",
		"root/original-ks.cfg":   "rootpw --plaintext secret\n",
		"var/log/anaconda/x.log": "installed\n", "var/log/anaconda/ks-script-abc.log": "+ set -eux\n",
		i.network: "HWADDR=52:54:00:12:34:56\nmac-address=52:54:00:12:34:56\n",
	}
	if i.entries {
		files["etc/kernel/cmdline"] = "root=" + i.root() + " ro\n"
	}
	return files
}

// arguments are the kernel's in the build's own boot menu.
func (i *Install) arguments() string {
	if i.Layout == LVM {
		return "crashkernel=auto resume=/dev/mapper/rhel-swap rd.lvm.lv=rhel/root rd.lvm.lv=rhel/swap console=ttyS0"
	}
	return "crashkernel=auto console=ttyS0"
}
