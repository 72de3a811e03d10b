package filesystem

import "iter"

// FreeSpace is what can tell which parts of its volume nobody owns: an FS, or
// another structure that divides a volume.
type FreeSpace interface {
	// Free yields the parts of the volume that belong to no file and to no
	// structure, in order, in bytes from the volume's start. What the structure
	// does not manage, such as a boot sector before its first block, is not
	// among them.
	//
	// Free is held against all that speaks of the same thing: checksums,
	// counters, places that cannot be free. Whatever disagrees, or a volume that
	// was not closed cleanly, ends it with an error; then nothing is known to be
	// free, what was yielded before included.
	Free() iter.Seq2[Segment, error]
}
