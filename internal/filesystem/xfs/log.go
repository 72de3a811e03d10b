package xfs

import (
	"errors"
	"fmt"
)

// The log is a ring of sectors, "Journaling Log". Each begins with the number
// of the round in which it was written, its cycle; but a record's header begins
// with a magic number, and the cycle comes after it.
const (
	recordMagic   = 0xfeedbabe
	recordVersion = 8
	recordLength  = 12
	recordOps     = 40
	recordSize    = 320
	// recordHeaderCovers is how much of a record one sector of header covers.
	recordHeaderCovers = 32 << 10
	opFlags            = 9
	opUnmount          = 0x20
	// maxRecord is more than a record can be: 256 KiB and its header.
	maxRecord = 512 << 10
)

// errDirty says what to do about a log that is not finished.
var errDirty = errors.New("the file system was not unmounted cleanly, and changes that are only in its log would be missing: " +
	"shut the guest down cleanly (poweroff, not reset; a larger shutdown_timeout may help), or boot it once and shut it down")

// xfsLog is the log as sectors.
type xfsLog struct {
	fs      *FS
	start   int64 // in the volume, in bytes
	sectors int64
}

// checkLog refuses a file system whose log has changes that are not elsewhere
// yet: if the last record does not say that it was unmounted.
func (fs *FS) checkLog() error {
	first, err := fs.sb.physical(fs.sb.logStart, uint64(fs.sb.logBlocks))
	if err != nil {
		return err
	}
	l := xfsLog{fs: fs, start: int64(first) * fs.sb.blockSize, sectors: int64(fs.sb.logBlocks) * fs.sb.blockSize / sectorSize}
	head, err := l.head()
	if err != nil {
		return err
	}
	// A log all zeros has never been written to.
	if head == 0 {
		return nil
	}
	clean, err := l.endsInUnmount(head)
	if err == nil && !clean {
		err = errDirty
	}
	return err
}

// head returns the sector after the last one written, counted from the start of
// the log to its end inclusive. All before it are of one cycle, and those from
// it on of the one before, or zeros.
func (l *xfsLog) head() (int64, error) {
	newest, err := l.cycle(0)
	if err != nil || newest == 0 {
		return 0, err
	}
	low, high := int64(0), l.sectors // low is of the newest cycle, high not or the end
	for high-low > 1 {
		middle := low + (high-low)/2
		cycle, err := l.cycle(middle)
		if err != nil {
			return 0, err
		}
		if cycle == newest {
			low = middle
		} else {
			high = middle
		}
	}
	return high, nil
}

// cycle reads the cycle of a sector.
func (l *xfsLog) cycle(sector int64) (uint32, error) {
	var b [8]byte
	if err := l.fs.read(b[:], l.start+sector*sectorSize); err != nil {
		return 0, err
	}
	if cycle := be.Uint32(b[:]); cycle != recordMagic {
		return cycle, nil
	}
	return be.Uint32(b[4:]), nil
}

// endsInUnmount says whether the last record before head ends there and has a
// single operation, that of unmounting.
func (l *xfsLog) endsInUnmount(head int64) (bool, error) {
	b, err := l.before(head)
	if err != nil {
		return false, err
	}
	for at := len(b) - sectorSize; at >= 0; at -= sectorSize {
		record := b[at:]
		if be.Uint32(record) != recordMagic {
			continue
		}
		headers := 1
		if size := be.Uint32(record[recordSize:]); be.Uint32(record[recordVersion:])&2 != 0 && size > recordHeaderCovers {
			headers = int((uint64(size) + recordHeaderCovers - 1) / recordHeaderCovers)
		}
		data := headers * sectorSize
		length := (int64(be.Uint32(record[recordLength:])) + sectorSize - 1) &^ (sectorSize - 1)
		return be.Uint32(record[recordOps:]) == 1 && int64(data)+length == int64(len(record)) && length > 0 &&
			record[data+opFlags]&opUnmount != 0, nil
	}
	return false, fmt.Errorf("no record before sector %d of %d", head, l.sectors)
}

// before reads the sectors before head, enough for the longest record; before
// the first sector of the log comes the last.
func (l *xfsLog) before(head int64) ([]byte, error) {
	b := make([]byte, min(maxRecord, l.sectors*sectorSize))
	split := max(0, int64(len(b))-head*sectorSize) // bytes from the end of the log
	if err := l.fs.read(b[:split], l.start+l.sectors*sectorSize-split); err != nil {
		return nil, err
	}
	if err := l.fs.read(b[split:], l.start+head*sectorSize-(int64(len(b))-split)); err != nil {
		return nil, err
	}
	return b, nil
}
