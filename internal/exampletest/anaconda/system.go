// Package anaconda makes disks as the installer of Enterprise Linux and its kin
// leaves them, without it: a few files of each package of a kickstart, what the
// installer itself writes, and what the kickstart's own %post makes of them.
package anaconda

// System is one of the family: what differs between them, as far as an image
// shows it.
type System struct {
	Name   string // the variable file's
	Dist   string // the end of its packages' releases
	Kernel string // version and release of the package kernel
	UEK    string // likewise of Oracle's own kernel, beside it
	Python string // the version that cloud-init runs in
	Vendor string // its folder on the EFI system partition
	Layout Layout
	// Release is /etc/os-release.
	Release string
	// Units are cloud-init's, which have had other names since 24.3.
	Units []string

	rpm     form   // of the database of packages
	rpmDir  string // where that is
	gpt     bool   // for a BIOS too: blivet's choice since Fedora 37 and RHEL 10
	entries bool   // of the Boot Loader Specification, since RHEL 8
	network string // the build's network
}

// Layout is how a disk is divided.
type Layout string

// Layouts: the kickstart's own, with both of its file systems, and what a
// kickstart of one's own can ask for, as the installer does without any.
const (
	Ext4 Layout = "ext4"
	XFS  Layout = "xfs"
	LVM  Layout = "lvm" // /boot beside a volume group, both with XFS
)

var (
	oldUnits = []string{"cloud-init-local", "cloud-init", "cloud-config", "cloud-final"}
	newUnits = []string{"cloud-init-main", "cloud-init-local", "cloud-init-network", "cloud-config", "cloud-final"}
)

const (
	ifcfg   = "etc/sysconfig/network-scripts/ifcfg-ens3"
	keyfile = "etc/NetworkManager/system-connections/ens3.nmconnection"
	varRPM  = "var/lib/rpm"
	usrRPM  = "usr/lib/sysimage/rpm"
)

// The releases of RHEL, which the others follow.
var (
	el7 = System{
		Dist: "el7", Kernel: "3.10.0-1160.el7", Python: "python2.7",
		Units: oldUnits, rpm: berkeley, rpmDir: varRPM, network: ifcfg,
	}
	el8 = System{
		Dist: "el8", Kernel: "4.18.0-553.el8_10", UEK: "5.15.0-206.153.7.el8uek", Python: "python3.6",
		Units: oldUnits, rpm: berkeley, rpmDir: varRPM, entries: true, network: ifcfg,
	}
	el9 = System{
		Dist: "el9", Kernel: "5.14.0-570.12.1.el9_6", UEK: "6.12.0-100.28.2.el9uek", Python: "python3.9",
		Units: newUnits, rpm: sqlite, rpmDir: varRPM, entries: true, network: keyfile,
	}
	el10 = System{
		Dist: "el10", Kernel: "6.12.0-55.9.1.el10_0", UEK: "6.12.0-100.28.2.el10uek", Python: "python3.12",
		Units: newUnits, rpm: sqlite, rpmDir: usrRPM, gpt: true, entries: true, network: keyfile,
	}
	fedora = System{
		Dist: "fc43", Kernel: "6.17.1-300.fc43", Python: "python3.14",
		Units: newUnits, rpm: sqlite, rpmDir: usrRPM, gpt: true, entries: true, network: keyfile,
	}
	openEuler = System{
		Dist: "oe2403", Kernel: "6.6.0-28.0.0.34.oe2403", Python: "python3.11",
		Units: oldUnits, rpm: sqlite, rpmDir: varRPM, network: ifcfg,
	}
)

// Systems are all of the family.
func Systems() []System {
	const kin = `ID_LIKE="rhel centos fedora"`
	return []System{
		el7.like("rhel7", "redhat", LVM, `ID="rhel"`, `ID_LIKE="fedora"`, `VERSION_ID="7.9"`),
		el8.like("rhel8", "redhat", XFS, `ID="rhel"`, `ID_LIKE="fedora"`, `VERSION_ID="8.10"`),
		el9.like("rhel9", "redhat", LVM, `ID="rhel"`, `ID_LIKE="fedora"`, `VERSION_ID="9.6"`),
		el10.like("rhel10", "redhat", Ext4, `ID="rhel"`, `ID_LIKE="centos fedora"`, `VERSION_ID="10.0"`),
		el7.like("centos7", "centos", Ext4, `ID="centos"`, `ID_LIKE="rhel fedora"`, `VERSION_ID="7"`),
		el8.like("centos8", "centos", Ext4, `ID="centos"`, `ID_LIKE="rhel fedora"`, `VERSION_ID="8"`),
		el8.like("centos8-stream", "centos", LVM, `ID="centos"`, `ID_LIKE="rhel fedora"`, `VERSION_ID="8"`),
		el9.like("centos9-stream", "centos", XFS, `ID="centos"`, `ID_LIKE="rhel fedora"`, `VERSION_ID="9"`),
		el10.like("centos10-stream", "centos", LVM, `ID="centos"`, `ID_LIKE="rhel fedora"`, `VERSION_ID="10"`),
		el8.like("ol8", "redhat", XFS, `ID="ol"`, `ID_LIKE="fedora"`, `VERSION_ID="8.10"`),
		el9.like("ol9", "redhat", Ext4, `ID="ol"`, `ID_LIKE="fedora"`, `VERSION_ID="9.6"`),
		el10.like("ol10", "redhat", XFS, `ID="ol"`, `ID_LIKE="fedora"`, `VERSION_ID="10.0"`),
		el8.like("rocky8", "rocky", Ext4, `ID="rocky"`, kin, `VERSION_ID="8.10"`),
		el9.like("rocky9", "rocky", XFS, `ID="rocky"`, kin, `VERSION_ID="9.6"`),
		el10.like("rocky10", "rocky", LVM, `ID="rocky"`, kin, `VERSION_ID="10.0"`),
		el8.like("alma8", "almalinux", LVM, `ID="almalinux"`, kin, `VERSION_ID="8.10"`),
		el9.like("alma9", "almalinux", Ext4, `ID="almalinux"`, kin, `VERSION_ID="9.6"`),
		el10.like("alma10", "almalinux", XFS, `ID="almalinux"`, kin, `VERSION_ID="10.0"`),
		fedora.like("fedora", "fedora", Ext4, `ID=fedora`, `VERSION_ID=43`),
		openEuler.like("openeuler", "openEuler", XFS, `ID="openEuler"`, `VERSION_ID="24.03"`),
	}
}

func (s System) like(name, vendor string, layout Layout, release ...string) System {
	s.Name, s.Vendor, s.Layout = name, vendor, layout
	s.Release = "NAME=\"" + name + "\"\nPRETTY_NAME=\"" + name + " (Tests)\"\n"
	for _, line := range release {
		s.Release += line + "\n"
	}
	if release[0] != `ID="ol"` {
		s.UEK = ""
	}
	return s
}
