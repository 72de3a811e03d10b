// Package mdtest makes members of RAID arrays. There is no kernel with md(4)
// where the tests must run, so it writes their superblocks itself, after
// linux/raid/md_p.h; that they are right is what mdadm(8) says in the tests of
// package md.
package mdtest

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	magic  = 0xa92b4efc
	sector = 512
	block  = 4096
	// front and back are around an array's content, for superblocks.
	front = 256 << 10
	back  = 128 << 10
)

var le = binary.LittleEndian

// Member describes a member of an array.
type Member struct {
	Version  string // "0.90", "1.0", "1.1", "1.2"
	Number   int
	Role     int // -1 for a spare
	Disks    int
	Level    int
	Events   uint64
	Features uint32
	Unclean  bool
	Name     string
}

// Superblock is where the superblock of a member with so much content is.
func (m Member) Superblock(content int64) int64 {
	switch m.Version {
	case "0.90":
		return (content+front+back)&^(64<<10-1) - 64<<10
	case "1.0":
		return (content+front+back)&^(4<<10-1) - 8<<10
	case "1.1":
		return 0
	}
	return 4096
}

// Make returns the member of an array that has the content, whose length can be
// divided by 4096.
func (m Member) Make(content []byte) []byte {
	b := make([]byte, front+len(content)+back)
	data := front
	if m.Version == "0.90" || m.Version == "1.0" {
		data = 0
	}
	copy(b[data:], content)
	at := m.Superblock(int64(len(content)))
	if m.Version == "0.90" {
		m.v0(b[at:][:block], len(content))
	} else {
		m.v1(b[at:][:block], at, data, len(content))
	}
	return b
}

func (m Member) v1(b []byte, at int64, data, size int) {
	const roles, sum = 8, 216
	le.PutUint32(b, magic)
	le.PutUint32(b[4:], 1)
	le.PutUint32(b[8:], m.Features)
	copy(b[16:], "\x11\x22\x33\x44aaaabbbbcccc")
	copy(b[32:], m.Name)
	le.PutUint32(b[72:], uint32(m.Level))
	le.PutUint64(b[80:], uint64(size/sector))
	le.PutUint32(b[92:], uint32(m.Disks))
	le.PutUint64(b[128:], uint64(data/sector))
	le.PutUint64(b[136:], uint64(size/sector))
	le.PutUint64(b[144:], uint64(at/sector))
	le.PutUint32(b[160:], uint32(m.Number))
	copy(b[168:], fmt.Sprintf("device %d UUID..", m.Number))
	le.PutUint64(b[200:], m.Events)
	if !m.Unclean {
		le.PutUint64(b[208:], math.MaxUint64)
	}
	le.PutUint32(b[220:], roles)
	for i := range roles {
		le.PutUint16(b[256+2*i:], 0xffff)
	}
	if m.Role >= 0 {
		le.PutUint16(b[256+2*m.Number:], uint16(m.Role))
	}
	le.PutUint32(b[sum:], words(b[:256+2*roles]))
}

func (m Member) v0(b []byte, size int) {
	const (
		state, sum, this, all = 33, 38, 992, 128
		clean, active, sync   = 1, 1 << 1, 1 << 2
	)
	set := func(word int, value uint32) { le.PutUint32(b[word*4:], value) }
	set(0, magic)
	set(2, 90)
	for i, word := range []int{5, 13, 14, 15} {
		set(word, 0x11223344+uint32(i))
	}
	set(7, uint32(m.Level))
	set(8, uint32(size>>10))
	set(10, uint32(m.Disks))
	set(11, 3)
	if !m.Unclean {
		set(state, clean)
	}
	set(39, uint32(m.Events))
	set(this, uint32(m.Number))
	set(this+3, uint32(m.Role))
	if m.Role >= 0 {
		set(this+4, active|sync)
	}
	copy(b[all*4:], b[this*4:][:128])
	set(sum, words(b))
}

// words adds up the words of b, whose own sum is still zero.
func words(b []byte) uint32 {
	sum := uint64(0)
	for at := 0; at < len(b); at += 4 {
		sum += uint64(le.Uint32(b[at:]))
	}
	return uint32(sum) + uint32(sum>>32)
}
