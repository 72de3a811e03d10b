package facts

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/rpmdb"
)

// maxStatus is the most that is read of dpkg's list, in bytes.
const maxStatus = 256 << 20

// Packages are those that a system says it has.
type Packages struct {
	Format string // "deb", "rpm"; "" if no database was found or could be read
	List   []Package
}

// Package is an installed package.
type Package struct {
	Name         string
	Version      string // all of it: of an rpm, with epoch and release
	Architecture string
	Source       string // the source package's name
	License      string
	Summary      string
	Vendor       string
	SameArch     bool // of a deb: it may be installed for several architectures
}

// Has says whether one of the packages is installed.
func (p Packages) Has(names ...string) bool {
	return slices.ContainsFunc(p.List, func(one Package) bool { return slices.Contains(names, one.Name) })
}

// Versions are those of one package.
func (p Packages) Versions(name string) []string {
	var versions []string
	for _, one := range p.List {
		if one.Name == name {
			versions = append(versions, one.Version)
		}
	}
	return versions
}

// Lines is the plain list that people compare: as Ubuntu's image manifests and
// `dpkg-query -W` have it, or as `rpm -qa` prints, sorted.
func (p Packages) Lines() []string {
	lines := make([]string, 0, len(p.List))
	for _, one := range p.List {
		lines = append(lines, one.line(p.Format))
	}
	slices.Sort(lines)
	return lines
}

func (p Package) line(format string) string {
	if format == "rpm" {
		_, version, found := strings.Cut(p.Version, ":")
		if !found {
			version = p.Version
		}
		name := p.Name + "-" + version
		if p.Architecture != "" { // imported keys have none
			name += "." + p.Architecture
		}
		return name
	}
	name := p.Name
	if p.SameArch {
		name += ":" + p.Architecture
	}
	return name + "\t" + p.Version
}

// readPackages reads the package database out of the files that were found.
func readPackages(ctx context.Context, files map[string]database) (Packages, error) {
	if d, ok := files["var/lib/dpkg/status"]; ok {
		list, err := dpkgStatus(io.NewSectionReader(d.data, 0, min(d.size, maxStatus)))
		if err != nil {
			return Packages{}, fmt.Errorf("/var/lib/dpkg/status: %w", err)
		}
		if len(list) > 0 {
			return Packages{"deb", list}, nil
		}
	}
	var errs []error
	for _, dir := range []string{"usr/lib/sysimage/rpm", "var/lib/rpm"} {
		for _, name := range []string{"rpmdb.sqlite", "Packages.db", "Packages"} {
			d, ok := files[path.Join(dir, name)]
			if !ok || d.size == 0 {
				continue
			}
			var log rpmdb.File
			if wal, ok := files[path.Join(dir, name+"-wal")]; ok {
				log = rpmdb.File{ReaderAt: wal.data, Size: wal.size}
			}
			found, err := rpmdb.Read(ctx, rpmdb.File{ReaderAt: d.data, Size: d.size}, log)
			if err != nil {
				errs = append(errs, fmt.Errorf("/%s/%s: %w", dir, name, err))
				continue
			}
			if len(found) > 0 {
				return Packages{"rpm", rpmPackages(found)}, nil
			}
		}
	}
	return Packages{}, errors.Join(errs...)
}

func rpmPackages(found []rpmdb.Package) []Package {
	list := make([]Package, 0, len(found))
	for _, p := range found {
		version := p.Version + "-" + p.Release
		if p.Epoch != 0 {
			version = fmt.Sprintf("%d:%s", p.Epoch, version)
		}
		list = append(list, Package{
			Name: p.Name, Version: version, Architecture: p.Architecture, Source: sourceName(p.Source),
			License: p.License, Summary: p.Summary, Vendor: p.Vendor,
		})
	}
	sortPackages(list)
	return list
}

// sourceName is the name in that of a source package's file:
// "bash-5.1.8-9.el9.src.rpm".
func sourceName(file string) string {
	for range 2 {
		i := strings.LastIndexByte(file, '-')
		if i < 0 {
			return file
		}
		file = file[:i]
	}
	return file
}

// dpkgStatus reads dpkg's list of packages (deb-control(5), dpkg(1)).
func dpkgStatus(r io.Reader) ([]Package, error) {
	var list []Package
	fields := map[string]string{}
	end := func() {
		if strings.HasSuffix(fields["Status"], " installed") {
			list = append(list, debPackage(fields))
		}
		clear(fields)
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			end()
		}
		if key, value, ok := strings.Cut(line, ":"); ok && line[0] != ' ' && line[0] != '\t' {
			fields[key] = strings.TrimSpace(value)
		}
	}
	end()
	sortPackages(list)
	return list, lines.Err()
}

func debPackage(fields map[string]string) Package {
	source, _, _ := strings.Cut(fields["Source"], " ")
	if source == "" {
		source = fields["Package"]
	}
	return Package{
		Name: fields["Package"], Version: fields["Version"], Architecture: fields["Architecture"], Source: source,
		Summary: fields["Description"], Vendor: fields["Maintainer"], SameArch: fields["Multi-Arch"] == "same",
	}
}

func sortPackages(list []Package) {
	slices.SortFunc(list, func(a, b Package) int {
		return strings.Compare(a.Name+"\x00"+a.Version+"\x00"+a.Architecture, b.Name+"\x00"+b.Version+"\x00"+b.Architecture)
	})
}
