package ntfs

import (
	"bytes"
	"fmt"
	"strings"
)

// State is what keeps an NTFS file system from being whole as it is.
type State struct {
	Dirty      bool // it is marked to be checked by chkdsk
	Hibernated bool // Windows sleeps, or was shut down with Fast Startup
	Unfinished bool // the log has changes that are not elsewhere yet
}

// Clean says whether nothing does.
func (s State) Clean() bool { return s == State{} }

// String says what does and what to do about it.
func (s State) String() string {
	switch {
	case s.Hibernated:
		return "Windows is hibernated, or was shut down with Fast Startup: run `powercfg /h off` in it, and shut it down"
	case s.Dirty:
		return "it is marked as dirty: run `chkdsk /f` in Windows, and shut it down"
	case s.Unfinished:
		return "it was not unmounted cleanly: boot Windows once, and shut it down"
	}
	return "clean"
}

// Flags of $VOLUME_INFORMATION.
const (
	flagDirty         = 0x0001
	flagCheckUnderway = 0x4000
)

// State looks at the volume's flags, at hiberfil.sys and at the log.
func (fs *FS) State() (s State, err error) {
	defer guard(&err)
	info, err := fs.content(recordVolume, typeVolumeInformation)
	if err != nil {
		return s, err
	}
	flags := make([]byte, 2)
	if _, err := info.ReadAt(flags, 10); err != nil {
		return s, fmt.Errorf("$VOLUME_INFORMATION: %w", err)
	}
	s.Dirty = le.Uint16(flags)&(flagDirty|flagCheckUnderway) != 0
	if s.Hibernated, err = fs.hibernated(); err != nil {
		return s, err
	}
	if s.Unfinished, err = fs.unfinished(); err != nil {
		return s, fmt.Errorf("$LogFile: %w", err)
	}
	return s, fs.volume.failed()
}

// maxIndex bounds the time to list the root directory: a million files.
const maxIndex = 256 << 20

// hibernated says whether a memory image waits for its Windows. After it woke up
// the header says something else, or is all zeros.
func (fs *FS) hibernated() (bool, error) {
	root, err := fs.record(recordRoot)
	if err != nil {
		return false, fmt.Errorf("root directory: %w", err)
	}
	for _, a := range root.EnumerateAttributes(fs.ntfs) {
		if size := a.DataSize(); size < 0 || size > maxIndex {
			return false, fmt.Errorf("root directory: an attribute of %d bytes", size)
		}
	}
	number := uint64(0)
	for _, e := range root.Dir(fs.ntfs) {
		if strings.EqualFold(e.File().Name(), "hiberfil.sys") {
			number = e.MftReference()
		}
	}
	if number == 0 {
		return false, nil
	}
	image, err := fs.content(int64(number), typeData)
	if err != nil {
		return false, fmt.Errorf("hiberfil.sys: %w", err)
	}
	head := make([]byte, 4)
	if image.size < int64(len(head)) {
		return false, nil
	}
	if _, err := image.ReadAt(head, 0); err != nil {
		return false, fmt.Errorf("hiberfil.sys: %w", err)
	}
	return bytes.EqualFold(head, []byte("hibr")), nil
}

// Of the log's two restart pages the one with the higher number counts. Their
// numbers are those of the Linux-NTFS project's description of $LogFile.
const (
	restartPages = 2
	restartSize  = 4096
	areaNumber   = 0
	areaClients  = 12
	areaFlags    = 14
	areaSize     = 16
	noClient     = 0xffff
	flagClean    = 0x2
	sectorSize   = 512
)

// unfinished says whether the log was left open. A log all ones is empty: that
// is how those who write to NTFS without a log leave it.
func (fs *FS) unfinished() (bool, error) {
	log, err := fs.content(recordLog, typeData)
	if err != nil {
		return false, err
	}
	page := make([]byte, restartSize)
	open, newest := false, uint64(0)
	for i := range int64(restartPages) {
		if _, err := log.ReadAt(page, i*restartSize); err != nil {
			return false, err
		}
		if len(bytes.Trim(page, "\xff")) == 0 {
			continue
		}
		area, err := restartArea(page)
		if err != nil {
			return false, fmt.Errorf("restart page %d: %w", i, err)
		}
		if number := le.Uint64(area[areaNumber:]); number >= newest {
			newest = number
			open = le.Uint16(area[areaClients:]) != noClient && le.Uint16(area[areaFlags:])&flagClean == 0
		}
	}
	return open, nil
}

// restartArea checks a page and finds what it says of the log.
func restartArea(page []byte) ([]byte, error) {
	if !bytes.HasPrefix(page, []byte("RSTR")) {
		return nil, fmt.Errorf("it begins with %q", page[:4])
	}
	if size := le.Uint32(page[16:]); size != restartSize {
		return nil, fmt.Errorf("pages of %d bytes", size)
	}
	marks, count := int(le.Uint16(page[4:])), int(le.Uint16(page[6:]))
	if marks+2 > sectorSize || count != restartSize/sectorSize+1 {
		return nil, fmt.Errorf("%d marks at byte %d", count, marks)
	}
	for end := sectorSize - 2; end < restartSize; end += sectorSize {
		if !bytes.Equal(page[end:end+2], page[marks:marks+2]) {
			return nil, fmt.Errorf("it was not written as a whole")
		}
	}
	at := int(le.Uint16(page[24:]))
	if at+areaSize > sectorSize-2 {
		return nil, fmt.Errorf("restart area at byte %d", at)
	}
	return page[at:], nil
}
