package regiontest

import "time"

// partial ends the name of a file that is not complete yet: 3.5 to 3.7.
const partial = ".incomplete"

// upload answers a PUT of a piece of a file. Counts of received bytes change
// only if it succeeds; files may change without.
func (r *Region) upload(region int, res *resource, f *imageFile, data []byte, e effect) *reply {
	spelt := "received"
	if !r.behaves.atLeast(3, 3, 0) {
		spelt = "recieved"
	}
	if len(data) == 0 {
		return text(400, "Missing data.")
	}
	if res.synced {
		return text(403, "Cannot upload to a resource of type: 0.")
	}
	done := f.large != nil && f.complete() || f.large == nil && f.counts[region] == f.size
	if done {
		return text(400, "Cannot upload to a complete file.")
	}
	if e.corrupt {
		data = append([]byte{data[0] ^ 1}, data[1:]...)
	}
	p := piece{r, region, f, data, e, text(400, "Too much data "+spelt+".")}
	switch r.behaves.storage() {
	case largeObjects:
		return p.toLargeObject()
	case allocated:
		return p.toAllocated()
	}
	return p.append()
}

// piece is one PUT on its way to where the version keeps the bytes.
type piece struct {
	r       *Region
	region  int
	file    *imageFile
	data    []byte
	effect  effect
	tooMuch *reply
}

func mismatch() *reply { return text(400, "Saved content does not match given SHA256 value.") }

// ok is piston's word for success.
func ok() *reply { return &reply{status: 200, kind: "text/plain", body: []byte("OK")} }

func (p piece) full(n int64) bool { return p.effect.full || p.r.full(p.region, n) }

// toLargeObject appends to the database, which takes back what has failed.
func (p piece) toLargeObject() *reply {
	b, before := p.file.large.data, p.file.large.data.size
	if before+int64(len(p.data)) > p.file.large.total {
		return p.tooMuch
	}
	if p.full(int64(len(p.data))) {
		return crash("could not extend file: No space left on device")
	}
	if p.effect.undo != nil {
		return p.effect.undo
	}
	if err := b.writeAt(p.data, before); err != nil {
		return crash(err.Error())
	}
	if b.size == p.file.large.total && b.sum() != p.file.sha256 {
		if err := b.truncate(before); err != nil {
			return crash(err.Error())
		}
		return mismatch()
	}
	return ok()
}

// toAllocated writes where the database's count says, into a file of the full
// size, which gets its name when its hash is right.
func (p piece) toAllocated() *reply {
	disk, off := p.r.disks[p.region], p.file.counts[p.region]
	name := p.file.disk + partial
	if off == 0 {
		delete(disk, name)
		if p.file.size < 0 {
			return crash("[Errno 22] Invalid argument")
		}
		if p.full(p.file.size) {
			return crash("[Errno 28] No space left on device")
		}
		b, err := newBlob(p.r.options.Dir)
		if err == nil {
			err = b.truncate(p.file.size)
		}
		if err != nil {
			return crash(err.Error())
		}
		disk[name] = b
	}
	b := disk[name]
	if b == nil {
		return crash("[Errno 2] No such file or directory: '/var/lib/maas/image-storage/" + name + "'")
	}
	if off+int64(len(p.data)) > p.file.size {
		return p.tooMuch
	}
	if err := b.writeAt(p.effect.part(p.data), off); err != nil {
		return crash(err.Error())
	}
	if p.effect.undo != nil && p.effect.stored < int64(len(p.data)) {
		return p.effect.undo
	}
	if off+int64(len(p.data)) == p.file.size {
		// A file that is there already is taken for the one just written.
		checked := disk[p.file.disk]
		if checked == nil {
			checked = b
		}
		if checked.sum() != p.file.sha256 {
			return mismatch()
		}
		disk[p.file.disk] = b
		delete(disk, name)
	}
	return p.count()
}

// append lengthens the file that is there, whoever has begun it, and removes
// it when it gets too long or the disk full.
func (p piece) append() *reply {
	disk, name := p.r.disks[p.region], p.file.disk
	b := disk[name]
	if b == nil {
		var err error
		if b, err = newBlob(p.r.options.Dir); err != nil {
			return crash(err.Error())
		}
		disk[name] = b
	}
	if b.size+int64(len(p.data)) > p.file.size {
		delete(disk, name)
		return p.tooMuch
	}
	if p.full(int64(len(p.data))) {
		delete(disk, name)
		return text(400, "No space left on device")
	}
	if err := b.writeAt(p.effect.part(p.data), b.size); err != nil {
		return crash(err.Error())
	}
	if p.effect.undo == nil && b.size == p.file.size && b.sum() != p.file.sha256 {
		return mismatch()
	}
	return p.count()
}

// count makes a success of it: the region counts the bytes, and hands the file
// on if it has all of it.
func (p piece) count() *reply {
	if p.effect.undo != nil {
		return p.effect.undo
	}
	p.file.counts[p.region] += int64(len(p.data))
	if b := p.r.disks[p.region][p.file.disk]; b != nil && b.size == p.file.size {
		p.r.spread(p.region, p.file)
	}
	return ok()
}

// spread starts the other regions on fetching a complete file.
func (r *Region) spread(from int, f *imageFile) {
	now := r.options.Clock()
	r.transfers = append(r.transfers, transfer{
		file: f, data: r.disks[from][f.disk], from: from, start: now, end: now.Add(r.options.SyncTime),
	})
	r.settle()
}

// settle brings the regions' copies to where they are by now.
func (r *Region) settle() {
	now := r.options.Clock()
	var left []transfer
	for _, t := range r.transfers {
		done := !now.Before(t.end)
		for region := range r.disks {
			if region == t.from || t.file.counts[region] == t.file.size {
				continue
			}
			if done {
				r.disks[region][t.file.disk] = t.data
				t.file.counts[region] = t.file.size
			} else {
				t.file.counts[region] = t.fetched(now)
			}
		}
		if !done {
			left = append(left, t)
		}
	}
	r.transfers = left
}

// fetched is how much another region has by now; all of it counts at the end.
func (t transfer) fetched(now time.Time) int64 {
	part := float64(now.Sub(t.start)) / float64(t.end.Sub(t.start))
	return min(int64(max(part, 0)*float64(t.file.size)), t.file.size-1)
}
