package facts

import (
	"context"
	"slices"
	"strings"

	"github.com/packer-maas/packer-plugin-maas/internal/curtin"
)

// parsePython has the Python programs in curtin's folder parsed.
func (t *Tree) parsePython(ctx context.Context) {
	programs := map[string][]byte{}
	for at, text := range t.text {
		if strings.HasPrefix(at, curtin.Folder+"/") && curtin.IsPython(at, text) {
			programs[at] = []byte(text)
		}
	}
	if len(programs) == 0 {
		return
	}
	var err error
	if t.Python, err = curtin.ParsePython(ctx, programs); err != nil {
		for at := range programs {
			t.Notes = append(t.Notes, "/"+at+": whether it compiles is not known: "+err.Error())
		}
		slices.Sort(t.Notes)
	}
}
