package btrfs

import "fmt"

const (
	// checksumsObject is in the keys of all checksums of data, whose offset is
	// the address of the first sector.
	checksumsObject = 1<<64 - 10
	// atATime bounds a read of the volume, and so the checksums held for it.
	atATime = 1 << 20
)

// readData fills p with data from an address on. Whole sectors are read and
// verified.
func (d *device) readData(p []byte, logical uint64, verify bool) error {
	sector := uint64(d.sb.sectorSize)
	for len(p) > 0 {
		skip := logical % sector
		part := p[:min(len(p), atATime)]
		if skip == 0 && len(part) >= int(sector) {
			part = part[:len(part)&^int(sector-1)]
			if err := d.readSectors(part, logical, verify); err != nil {
				return err
			}
		} else {
			whole := make([]byte, sector)
			if err := d.readSectors(whole, logical-skip, verify); err != nil {
				return err
			}
			part = p[:copy(p, whole[skip:])]
		}
		p, logical = p[len(part):], logical+uint64(len(part))
	}
	return nil
}

// readSectors fills p with whole sectors, which may be in several chunks.
func (d *device) readSectors(p []byte, logical uint64, verify bool) error {
	for len(p) > 0 {
		copies, length, err := d.chunks.find(logical)
		if err != nil {
			return err
		}
		part := p[:min(int64(len(p)), length)]
		var sums []byte
		if verify {
			if sums, err = d.checksums(logical, len(part)); err != nil {
				return fmt.Errorf("checksums of address %d: %w", logical, err)
			}
		}
		err = d.readVerified(part, logical, func() error { return d.verify(part, logical, sums) })
		if sector := int(d.sb.sectorSize); err != nil && len(copies) > 1 && len(part) > sector {
			// Each copy may be damaged in another place.
			part = part[:sector]
			err = d.readVerified(part, logical, func() error { return d.verify(part, logical, sums[:min(d.sb.sum.size, len(sums))]) })
		}
		if err != nil {
			return err
		}
		p, logical = p[len(part):], logical+uint64(len(part))
	}
	return nil
}

// verify compares sectors with their checksums; without any there is nothing to
// compare.
func (d *device) verify(p []byte, logical uint64, sums []byte) error {
	size, sector := d.sb.sum.size, int(d.sb.sectorSize)
	for i := 0; i*size < len(sums); i++ {
		if !d.sb.sum.valid(sums[i*size:][:size], p[i*sector:][:sector]) {
			return fmt.Errorf("address %d: %w", logical+uint64(i*sector), errChecksum)
		}
	}
	return nil
}

// checksums returns those of n bytes from an address on, one after the other.
func (d *device) checksums(logical uint64, n int) ([]byte, error) {
	size, sector := uint64(d.sb.sum.size), uint64(d.sb.sectorSize)
	from, ok, err := d.floor(d.sums, key{checksumsObject, typeChecksums, logical})
	if err != nil {
		return nil, err
	}
	if !ok || from.object != checksumsObject || from.kind != typeChecksums {
		from = key{checksumsObject, typeChecksums, logical}
	}
	end := logical + uint64(n)
	sums := make([]byte, 0, uint64(n)/sector*size)
	for i, err := range d.items(d.sums, from, key{checksumsObject, typeChecksums, end - 1}) {
		if err != nil {
			return nil, err
		}
		at := logical + uint64(len(sums))/size*sector // which comes next
		count := uint64(len(i.data)) / size
		if count*size != uint64(len(i.data)) || i.key.offset%sector != 0 || i.key.offset > at {
			break
		}
		if skip := (at - i.key.offset) / sector; skip < count {
			sums = append(sums, i.data[skip*size:min(count, (end-i.key.offset)/sector)*size]...)
		}
	}
	if len(sums) < cap(sums) {
		return nil, fmt.Errorf("missing from address %d on", logical+uint64(len(sums))/size*sector)
	}
	return sums, nil
}
