package ext4

import (
	"fmt"
	"math"

	"github.com/packer-maas/packer-plugin-maas/internal/disk"
)

// replay returns the volume as it is once the journal's finished transactions
// are carried out, and their number. It draws the lines that the kernel does:
// what was being written when the guest stopped is dropped, and a transaction
// that was finished but is damaged is an error.
func (fs *FS) replay() (disk.Volume, int, error) {
	j, err := fs.openJournal()
	if err != nil {
		return nil, 0, err
	}
	if j.start == 0 {
		return fs.volume, 0, nil
	}
	s := scan{journal: j, at: j.start, next: j.sequence, left: j.end - j.first, crc: math.MaxUint32}
	if err := s.run(); err != nil {
		return nil, 0, err
	}
	if err := j.checkFastCommit(s.next); err != nil {
		return nil, 0, err
	}
	revoked, err := j.revocations(s.log)
	if err != nil {
		return nil, 0, err
	}
	o := &overlay{Volume: fs.volume, blockSize: fs.sb.blockSize, blocks: make(map[uint64]replacement)}
	for _, r := range s.log {
		if r.kind != kindDescriptor {
			continue
		}
		if err := j.redo(o, r, revoked); err != nil {
			return nil, 0, fmt.Errorf("transaction %d: %w: %s", r.sequence, err, shutDown)
		}
	}
	return o, int(s.next - j.sequence), nil
}

// checkFastCommit refuses a journal whose transactions are followed by fast
// commits: these log operations rather than blocks.
func (j *journal) checkFastCommit(next uint32) error {
	if j.incompat&journalFastCommit == 0 || j.end+1 >= j.length {
		return nil
	}
	b, err := j.block(j.end + 1)
	if err != nil {
		return err
	}
	if le.Uint16(b) == fastCommitHead && le.Uint32(b[8:]) == next {
		return fmt.Errorf("it ends with fast commits, which cannot be replayed here: %s", shutDown)
	}
	return nil
}

// record is a descriptor or a revocation block of a finished transaction.
type record struct {
	kind, sequence, at uint32
}

// scan follows the journal to the end of its last finished transaction.
type scan struct {
	*journal
	at   uint32 // the next block
	next uint32 // the next transaction
	left uint32 // blocks of the ring that were not yet read

	log     []record // of the finished transactions
	pending []record // of the next one

	crc     uint32 // of the next one's blocks, in a journal with version 1 checksums
	suspect bool   // a block of the next one is damaged, or left from an earlier time
	time    uint64 // of the last finished one
}

// run reads until a block does not belong to the next transaction.
func (s *scan) run() error {
	for s.left > 0 {
		at := s.at
		b, err := s.take()
		if err != nil {
			return err
		}
		if be.Uint32(b) != journalMagic || be.Uint32(b[8:]) != s.next {
			return nil
		}
		more := true
		switch kind := be.Uint32(b[4:]); kind {
		case kindDescriptor:
			s.suspect = s.suspect || !s.tailValid(b)
			s.pending = append(s.pending, record{kind, s.next, at})
			err = s.skipCopies(b)
		case kindRevoke:
			s.suspect = s.suspect || !s.tailValid(b)
			s.pending = append(s.pending, record{kind, s.next, at})
		case kindCommit:
			more, err = s.commit(b)
		default:
			more = false
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// take reads the ring's next block.
func (s *scan) take() ([]byte, error) {
	b, err := s.block(s.at)
	s.at = s.after(s.at, 1)
	s.left--
	return b, err
}

// skipCopies passes the copies behind a descriptor block; checksums of version 1
// are over all of them, and over the descriptor.
func (s *scan) skipCopies(b []byte) error {
	n := uint32(len(s.tags(b)))
	if s.compat&journalCompatChecksum == 0 {
		n = min(n, s.left)
		s.at = s.after(s.at, n)
		s.left -= n
		return nil
	}
	s.crc = crc32BE(s.crc, b)
	for ; n > 0 && s.left > 0; n-- {
		b, err := s.take()
		if err != nil {
			return err
		}
		s.crc = crc32BE(s.crc, b)
	}
	return nil
}

// commit ends the next transaction with its "Commit Block"; more says whether
// the journal goes on behind it.
func (s *scan) commit(b []byte) (more bool, err error) {
	when := be.Uint64(b[0x30:])
	intact := !s.suspect && s.commitValid(b)
	switch {
	case intact:
		s.log = append(s.log, s.pending...)
		s.pending, s.crc, s.time = nil, math.MaxUint32, when
		s.next++
		return true, nil
	case when < s.time:
		return false, nil // left from when the ring was last here
	case s.suspect || s.incompat&journalAsyncCommit == 0:
		return false, fmt.Errorf("transaction %d is damaged: checksum mismatch: %s", s.next, shutDown)
	default:
		// Commit blocks may have been written before what they commit.
		return false, nil
	}
}

// commitValid verifies a commit block's checksum: of itself or, in version 1,
// of the whole transaction.
func (s *scan) commitValid(b []byte) bool {
	const checksumType, checksumSize, checksum, header = 0xc, 0xd, 0x10, 0x3c
	stored := be.Uint32(b[checksum:])
	switch {
	case s.compat&journalCompatChecksum != 0:
		none := b[checksumType] == 0 && b[checksumSize] == 0 && stored == 0
		return none || b[checksumType] == 1 && b[checksumSize] == 4 && stored == s.crc
	case s.hasChecksums():
		if crc32cHole(s.seed, b, checksum, 4) == stored {
			return true
		}
		// Only the block's first sector may have reached the disk: behind the
		// header there was nothing but zeros.
		whole := make([]byte, len(b))
		copy(whole, b[:header])
		return crc32cHole(s.seed, whole, checksum, 4) == stored
	default:
		return true
	}
}

// revocations returns the last transaction that revokes each block.
func (j *journal) revocations(log []record) (map[uint64]uint32, error) {
	revoked := make(map[uint64]uint32)
	for _, r := range log {
		if r.kind != kindRevoke {
			continue
		}
		b, err := j.block(r.at)
		if err != nil {
			return nil, err
		}
		blocks, err := j.revoked(b)
		if err != nil {
			return nil, fmt.Errorf("transaction %d: revocation block: %w", r.sequence, err)
		}
		for _, block := range blocks {
			revoked[block] = r.sequence
		}
		if len(revoked) > journalMaxRevoked {
			return nil, fmt.Errorf("over %d revoked blocks: %s", journalMaxRevoked, shutDown)
		}
	}
	return revoked, nil
}

// redo lays the copies behind a descriptor block over the volume.
func (j *journal) redo(o *overlay, r record, revoked map[uint64]uint32) error {
	b, err := j.block(r.at)
	if err != nil {
		return err
	}
	for i, t := range j.tags(b) {
		// Transactions are numbered in a circle.
		if until, ok := revoked[t.block]; ok && int32(until-r.sequence) >= 0 {
			continue
		}
		if t.block >= j.fs.sb.blocks {
			return fmt.Errorf("copy of block %d, outside the file system", t.block)
		}
		physical, err := j.physical(j.after(r.at, uint32(i)+1))
		if err != nil {
			return err
		}
		if j.hasChecksums() {
			content, err := j.fs.block(physical)
			if err != nil {
				return err
			}
			if !j.copyValid(t, r.sequence, content) {
				return fmt.Errorf("copy of block %d: checksum mismatch", t.block)
			}
		}
		o.blocks[t.block] = replacement{block: physical, escaped: t.escaped}
	}
	return nil
}

// overlay is a volume with some blocks replaced by their copies in the journal.
type overlay struct {
	disk.Volume
	blockSize int64
	blocks    map[uint64]replacement
}

// replacement is where a block's newest content is.
type replacement struct {
	block   uint64
	escaped bool
}

// ReadAt reads neighbouring blocks that are not replaced with one read.
func (o *overlay) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		at := off + int64(done)
		r, replaced := o.blocks[uint64(at/o.blockSize)]
		end := (at/o.blockSize + 1) * o.blockSize
		for !replaced && end < off+int64(len(p)) {
			if _, ok := o.blocks[uint64(end/o.blockSize)]; ok {
				break
			}
			end += o.blockSize
		}
		part := p[done:min(int64(len(p)), end-off)]
		from := at
		if replaced {
			from = int64(r.block)*o.blockSize + at%o.blockSize
		}
		n, err := o.Volume.ReadAt(part, from)
		if replaced && r.escaped {
			unescape(part[:n], at%o.blockSize)
		}
		done += n
		if n < len(part) {
			return done, err
		}
	}
	return done, nil
}

// unescape puts the journal's magic back at a block's start, p being the
// block's bytes from off on.
func unescape(p []byte, off int64) {
	if magic := be.AppendUint32(nil, journalMagic); off < int64(len(magic)) {
		copy(p, magic[off:])
	}
}
