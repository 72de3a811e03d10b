package ext4

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c continues a CRC-32C in the kernel's way: without the inversions
// before and after that hash/crc32 adds.
func crc32c(crc uint32, p []byte) uint32 { return ^crc32.Update(^crc, castagnoli, p) }

// crc32cUint32 continues a CRC-32C with a little-endian number.
func crc32cUint32(crc, v uint32) uint32 {
	return crc32c(crc, binary.LittleEndian.AppendUint32(nil, v))
}

// crc32cHole continues a CRC-32C with p, the bytes [at, at+n) taken as zeros:
// that is how checksums are stored inside what they cover.
func crc32cHole(crc uint32, p []byte, at, n int) uint32 {
	var zeros [4]byte
	crc = crc32c(crc, p[:at])
	crc = crc32c(crc, zeros[:n])
	return crc32c(crc, p[at+n:])
}

// crc16 continues the CRC-16 of polynomial x^16+x^15+x^2+1 (reflected) that
// group descriptors had before metadata_csum.
func crc16(crc uint16, p []byte) uint16 {
	for _, b := range p {
		crc ^= uint16(b)
		for range 8 {
			carry := crc & 1
			crc >>= 1
			if carry != 0 {
				crc ^= 0xa001
			}
		}
	}
	return crc
}

// crc32BETable is of the unreflected IEEE polynomial.
var crc32BETable = func() (table [256]uint32) {
	for i := range table {
		crc := uint32(i) << 24
		for range 8 {
			carry := crc & (1 << 31)
			crc <<= 1
			if carry != 0 {
				crc ^= 0x04c11db7
			}
		}
		table[i] = crc
	}
	return table
}()

// crc32BE continues the CRC-32, most significant bit first and not inverted,
// of a journal with the checksum feature of its first version.
func crc32BE(crc uint32, p []byte) uint32 {
	for _, b := range p {
		crc = crc<<8 ^ crc32BETable[byte(crc>>24)^b]
	}
	return crc
}
