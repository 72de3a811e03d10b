// Package vmware makes disks as the installers of VMware ESXi leave them.
package vmware

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// The types of ESXi's partitions (VMware KB 1036609).
const (
	efiSystem = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	basicData = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
	vmkCore   = "9D275380-40AD-11DB-BF97-000C2911D1B8"
	vmfsL     = "4EB2EA39-7855-4790-A79E-FAE495E21F8D"
)

// Partition is a partition by its first and last sector. With a size of
// clusters, in sectors, it has a FAT16.
type Partition struct {
	Number, First, Last int64
	Kind                string
	Cluster             int64
}

// Layouts are what the installers leave on the template's disk, as
// `partedUtil getptbl` tells it; MAAS's layouts vmfs6 and vmfs7 have the same
// sizes. The clusters are the smallest that FAT16 has for the size.
var Layouts = map[string][]Partition{
	"esxi6.7": {
		{1, 64, 8191, efiSystem, 1},
		{5, 8224, 520191, basicData, 8},
		{6, 520224, 1032191, basicData, 8},
		{7, 1032224, 1257471, vmkCore, 0},
		{8, 1257504, 1843199, basicData, 16},
		{9, 1843200, 7086079, vmkCore, 0},
		{2, 7086080, 15472639, basicData, 128},
	},
	// 7 and 9 are the same.
	"esxi8": {
		{1, 64, 204863, efiSystem, 4},
		{5, 208896, 8595455, basicData, 128},
		{6, 8597504, 16984063, basicData, 128},
		{7, 16986112, 67108830, vmfsL, 0},
	},
}

// Disk makes a disk as an installer leaves it on a machine with a disk of a size.
func Disk(t testing.TB, size string, layout []Partition) string {
	t.Helper()
	fstest.RequireTool(t, "sgdisk", "mkfs.fat", "mcopy")
	path := filepath.Join(t.TempDir(), "disk.raw")
	file := filepath.Join(t.TempDir(), "boot.cfg")
	fstest.Run(t, "truncate", "-s", size, path)
	if err := os.WriteFile(file, []byte("bootstate=0\ntitle=Loading VMware ESXi\nkernel=b.b00\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	table := []string{"--set-alignment=1"}
	for _, p := range layout {
		table = append(table, fmt.Sprintf("--new=%d:%d:%d", p.Number, p.First, p.Last), fmt.Sprintf("--typecode=%d:%s", p.Number, p.Kind))
	}
	fstest.Run(t, "sgdisk", append(table, path)...)
	for _, p := range layout {
		if p.Cluster > 0 {
			fstest.Run(t, "mkfs.fat", "-F", "16", "-s", fmt.Sprint(p.Cluster), "--offset", fmt.Sprint(p.First), path, fmt.Sprint((p.Last-p.First+1)/2))
			fstest.Run(t, "mcopy", "-i", p.at(path), file, "::BOOT.CFG")
		}
		if p.Kind == efiSystem {
			fstest.Run(t, "mmd", "-i", p.at(path), "::EFI", "::EFI/BOOT")
			fstest.Run(t, "mcopy", "-i", p.at(path), file, "::EFI/BOOT/BOOTx64.EFI")
		}
	}
	return path
}

// at is a partition of a disk in the words of mtools.
func (p Partition) at(disk string) string { return fmt.Sprintf("%s@@%d", disk, p.First*512) }
