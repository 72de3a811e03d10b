package regiontest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// resource is an image under a name for an architecture, in versions.
type resource struct {
	id          int
	synced      bool
	name, arch  string
	subarches   string
	title, base string
	titled      bool
	kernel      string
	sets        []*imageSet // oldest first
}

// imageSet is one version of a resource.
type imageSet struct {
	version, label string
	files          []*imageFile
}

// imageFile is a row of the database: what was announced, and how much of it
// each region counts as received.
type imageFile struct {
	id                       int
	owner                    *resource
	name, kind, sha256, disk string
	size                     int64
	counts                   []int64
	large                    *largeFile // 3.2 to 3.4
}

// largeFile is a large object of the database, one for each hash.
type largeFile struct {
	total int64
	data  *blob
}

// transfer is an image on its way from one region to the others.
type transfer struct {
	file       *imageFile
	data       *blob
	from       int
	start, end time.Time
}

// memoryLimit is the space of a region that keeps images in memory.
const memoryLimit = 2 << 30

func (r *Region) limit() int64 {
	switch {
	case r.options.StorageLimit > 0:
		return r.options.StorageLimit
	case r.options.Dir == "":
		return memoryLimit
	}
	return math.MaxInt64
}

// full tells whether a region's disk, or the database's, lacks room for n bytes more.
func (r *Region) full(region int, n int64) bool {
	var used int64
	if r.behaves.storage() == largeObjects {
		for _, l := range r.largeFiles {
			used += l.data.size
		}
	} else {
		for _, b := range r.disks[region] {
			used += b.size
		}
	}
	return n > r.limit()-used
}

// rows are all files that the database knows.
func (r *Region) rows() []*imageFile {
	var rows []*imageFile
	for _, res := range r.resources {
		for _, s := range res.sets {
			rows = append(rows, s.files...)
		}
	}
	return rows
}

func (r *Region) find(id int) *resource {
	for _, res := range r.resources {
		if res.id == id {
			return res
		}
	}
	return nil
}

func (r *Region) uploaded(name, arch string) *resource {
	for _, res := range r.resources {
		if !res.synced && res.name == name && res.arch == arch {
			return res
		}
	}
	return nil
}

func (r *Region) newResource(name, arch string) *resource {
	r.lastID++
	res := &resource{id: r.lastID, name: name, arch: arch}
	r.resources = append(r.resources, res)
	return res
}

func (r *Region) newFile(res *resource, kind, sha256 string, size int64) *imageFile {
	r.lastFileID++
	return &imageFile{
		id: r.lastFileID, owner: res, name: r.behaves.filename(kind), kind: kind,
		sha256: sha256, disk: r.nameOnDisk(sha256), size: size, counts: make([]int64, len(r.disks)),
	}
}

// nameOnDisk is the shortest beginning of the hash, of 7 letters or more, that
// no other image has. The same hash always has the same name.
func (r *Region) nameOnDisk(sha256 string) string {
	const shortest = 7
	rows := r.rows()
	for _, f := range rows {
		if f.sha256 == sha256 {
			return f.disk
		}
	}
	for n := shortest; n < len(sha256); n++ {
		taken := func(f *imageFile) bool { return strings.HasPrefix(f.disk, sha256[:n]) }
		if !slices.ContainsFunc(rows, taken) {
			return sha256[:n]
		}
	}
	return sha256
}

// nextVersion is the date, with a count from the second of the day on.
func (r *Region) nextVersion(res *resource) string {
	day := r.options.Clock().UTC().Format("20060102")
	last, some := 0, false
	for _, s := range res.sets {
		rest, ok := strings.CutPrefix(s.version, day)
		if !ok {
			continue
		}
		some = true
		if n, err := strconv.Atoi(strings.TrimPrefix(rest, ".")); err == nil {
			last = max(last, n)
		}
	}
	if !some {
		return day
	}
	return fmt.Sprintf("%s.%d", day, last+1)
}

// removeFiles deletes rows, and the bytes that no other row shares: a row that
// goes at the same time counts as another one.
func (r *Region) removeFiles(gone []*imageFile) {
	rows := r.rows()
	for _, f := range gone {
		other := func(o *imageFile) bool { return o != f && o.sha256 == f.sha256 }
		if !slices.ContainsFunc(rows, other) {
			for _, disk := range r.disks {
				delete(disk, f.disk)
				delete(disk, f.disk+partial)
			}
		}
	}
	isGone := func(f *imageFile) bool { return slices.Contains(gone, f) }
	for _, res := range r.resources {
		for _, s := range res.sets {
			s.files = slices.DeleteFunc(s.files, isGone)
		}
	}
	r.transfers = slices.DeleteFunc(r.transfers, func(s transfer) bool { return isGone(s.file) })
	left := r.rows()
	for sum := range r.largeFiles {
		if !slices.ContainsFunc(left, func(f *imageFile) bool { return f.sha256 == sum }) {
			delete(r.largeFiles, sum)
		}
	}
}

// received is what progress is computed from: the sum over all regions.
func (f *imageFile) received() int64 {
	var sum int64
	for _, n := range f.counts {
		sum += n
	}
	return sum
}

// complete tells what the API tells: every region counts all bytes as received.
func (f *imageFile) complete() bool {
	switch {
	case f.owner.synced:
		return true
	case f.large != nil:
		return f.large.data.size == f.large.total
	}
	return f.progress() == 100
}

// progress is what the API shows while a file is incomplete: of a large object
// its size over what it has, from 3.5 on a percentage.
func (f *imageFile) progress() float64 {
	if f.large != nil {
		if f.large.data.size == 0 {
			return 0
		}
		return float64(f.large.total) / float64(f.large.data.size)
	}
	if f.size == 0 {
		return 0
	}
	return 100 * float64(f.received()) / (float64(f.size) * float64(len(f.counts)))
}

// complete tells whether the set has files, and all of them.
func (s *imageSet) complete() bool {
	return len(s.files) > 0 && !slices.ContainsFunc(s.files, func(f *imageFile) bool { return !f.complete() })
}

func (s *imageSet) size() int64 {
	var sum int64
	for _, f := range s.files {
		sum += f.size
	}
	return sum
}

// progress of a set is a percentage in every version.
func (s *imageSet) progress() float64 {
	var have, want float64
	for _, f := range s.files {
		if f.large != nil {
			have += float64(f.large.data.size)
			want += float64(f.large.total)
			continue
		}
		have += float64(f.received())
		want += float64(f.size) * float64(len(f.counts))
	}
	if want == 0 {
		return 0
	}
	return 100 * have / want
}

// latest is the newest complete set, which is what machines get.
func (res *resource) latest() *imageSet {
	for _, s := range slices.Backward(res.sets) {
		if s.complete() {
			return s
		}
	}
	return nil
}

// addSynced makes an image of Ubuntu as the region gets it from its source.
func (r *Region) addSynced(series, arch string) {
	kernel := kernels[series]
	if kernel == "" {
		kernel = "ga-" + series
	}
	res := r.newResource("ubuntu/"+series, arch+"/"+kernel)
	res.synced, res.subarches, res.kernel = true, "generic,"+kernel, "generic"
	set := &imageSet{version: "20251101", label: "stable"}
	for i, kind := range []string{"boot-initrd", "boot-kernel", "squashfs"} {
		f := r.newFile(res, kind, fmt.Sprintf("%064x", res.id<<8+i), 1<<20)
		f.name = kind
		for region := range f.counts {
			f.counts[region] = f.size
		}
		set.files = append(set.files, f)
	}
	res.sets = append(res.sets, set)
}

// hasUbuntu tells whether a series can be booted on an architecture.
func (r *Region) hasUbuntu(series, arch string) bool {
	return slices.ContainsFunc(r.resources, func(res *resource) bool {
		return res.synced && res.name == "ubuntu/"+series && strings.HasPrefix(res.arch, arch+"/")
	})
}

// architectures are those that an image may have: of the images that can boot
// a machine, without the names of kernels.
func (r *Region) architectures() []string {
	var usable []string
	for _, res := range r.resources {
		arch, _, _ := strings.Cut(res.arch, "/")
		if res.synced && !slices.Contains(usable, arch+"/generic") {
			usable = append(usable, arch+"/generic")
		}
	}
	slices.Sort(usable)
	return usable
}
