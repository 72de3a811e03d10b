package console

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for name, test := range map[string]struct {
		in   string
		want []string
	}{
		"plain":        {"one\r\ntwo\n\n\nthree\n", []string{"one", "two", "three"}},
		"colours":      {"\x1b[0;32m  OK  \x1b[0m done\x1b[K\n", []string{"  OK   done"}},
		"screen":       {"\x1b[2J\x1b[1;1HTitle\x1b[5;10HAn installation step failed\x1b[7;1H<Go Back>", []string{"Title", "An installation step failed", "<Go Back>"}},
		"carriage":     {"10%\r20%\rdone\n", []string{"10%", "20%", "done"}},
		"title":        {"\x1b]0;root@host\aprompt\n\x1b]0;x\x1b\\more\n", []string{"prompt", "more"}},
		"charset":      {"\x1b(Bplain\x1b)0\n", []string{"plain"}},
		"frame":        {"\x1b(B\x1b)0\x0elqu\x0f axe \x0etqk\x0f\nx\x1b(0ax\x1b(Bx\n", []string{"┌─┤ axe ├─┐", "x▒│x"}},
		"backspace":    {"abd\bc\n", []string{"abc"}},
		"UTF-8":        {"Größe ✓\n\xff\xfebad\n", []string{"Größe ✓", "bad"}},
		"no line end":  {"login: ", []string{"login:"}},
		"endless line": {strings.Repeat("x", lineLimit+5), []string{strings.Repeat("x", lineLimit), "xxxxx"}},
		"bell and nul": {"a\x00b\a\n", []string{"ab"}},
	} {
		for _, chunk := range []int{1, 3, 1 << 20} {
			var got []string
			lines := NewLines(func(line string) { got = append(got, line) })
			for part := range slices.Chunk([]byte(test.in), chunk) {
				_, _ = lines.Write(part)
			}
			lines.End()
			if !slices.Equal(got, test.want) {
				t.Errorf("%s, by %d: %q, want %q", name, chunk, got, test.want)
			}
		}
	}
}

func TestPending(t *testing.T) {
	lines := NewLines(func(string) {})
	_, _ = lines.Write([]byte("done\n(initramfs) "))
	if lines.Pending() != "(initramfs)" {
		t.Errorf("%q", lines.Pending())
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("\x1b[2J\x1b[5;1Hx\x1b]0;\a\b\xff\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		lines := NewLines(func(line string) {
			if len(line) > lineLimit+4 || strings.ContainsAny(line, "\x1b\n\r\x00") {
				t.Errorf("line %q", line)
			}
		})
		_, _ = lines.Write(in)
		lines.End()
	})
}

// Lines as real systems write them.
func TestSigns(t *testing.T) {
	reader, err := NewReader([]string{`^all done$`}, []string{`disk .* is broken`}, []string{`emergency mode.*drill`})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]Kind{
		"[    2.345678] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100": Failure,
		"[    1.9] VFS: Unable to mount root fs on unknown-block(0,0)":                           Failure,
		"You are in emergency mode. After logging in, type \"journalctl -xb\" to view":           Failure,
		"Entering emergency mode. Exit the shell to continue.":                                   Failure,
		"(initramfs)": Failure,
		"ALERT!  UUID=6f1b does not exist.  Dropping to a shell!": Failure,
		"dracut:/#":    Failure,
		"grub rescue>": Failure,
		"BdsDxe: No bootable option or device was found.": Failure,
		"No bootable device.":                             Failure,
		`BdsDxe: starting Boot0000 "UiApp" from Fv(7CB8BDC9-F8EB-4F34-AAEA-3EE4AF6516A1)/FvFile(462CAA21-7614-4503-836E-8AB6F4662331)`: Failure,
		`BdsDxe: starting Boot0002 "UEFI QEMU DVD-ROM QM00003 " from PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x1,0xFFFF,0x0)`:                  Nothing,
		"The installation was stopped due to an error which occurred while running in non-interactive cmdline mode.":                   Failure,
		"The following error occurred while parsing the kickstart file:":                                                               Failure,
		"An unknown error has occurred":                                          Failure,
		"finish: subiquity/Install/install/curtin_install: FAIL: ":               Failure,
		"finish: subiquity/Refresh/check_for_update: FAIL: ":                     Nothing, // it goes on
		"An error occurred. Press enter to start a shell":                        Failure,
		"An installation step failed. You can try to run the failing item again": Failure,
		"Bad archive mirror":                         Failure,
		"An error occurred during the installation.": Failure,
		"[   21.1] cloud-init[601]: 2026-01-01 - util.py[WARNING]: Failed loading yaml blob. Invalid format at line 3": Failure,
		"disk 1 is broken":                     Failure,
		"all done":                             Success,
		"We are in emergency mode for a drill": Nothing,
		"You are in emergency mode: a drill":   Nothing,
		"[  100.1] reboot: System halted":      Halted,
		"Cloud-init v. 22.4.2 finished at Thu, 01 Jan 2026 00:00:00 +0000. Datasource DataSourceNoCloud.": Progress,
		"Starting installer, one moment...":                  Progress,
		"[    5.0] systemd[1]: Reached target Basic System.": Nothing,
		"Installing kernel-core.x86_64 (231/412)":            Nothing,
	} {
		if got := reader.Line(line); got.Kind != want {
			t.Errorf("%q: kind %d (%s), want %d", line, got.Kind, got.What, want)
		}
	}
}

// Excerpts of what real systems have said on a serial console, as Lines makes
// lines of it: the first sign that decides is the right one.
func TestRealConsoles(t *testing.T) {
	reader, err := NewReader(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"debian-installer-mirror":   "Bad archive mirror",
		"debian-installer-preseed":  "Failed to retrieve the preconfiguration file",
		"debian-installer-download": "The installer failed to download a file from the mirror. This may be",
		"linux-root":                "[    7.332509] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
	} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for line := range strings.Lines(string(text)) {
			if line = Bare(strings.TrimSuffix(line, "\n")); got == "" && reader.Line(line).Kind == Failure {
				got = line
			}
		}
		if got != want {
			t.Errorf("%s: it is %q, want %q", name, got, want)
		}
	}
}

func TestWrongExpression(t *testing.T) {
	for _, lists := range [][3][]string{{{"("}, nil, nil}, {nil, {"("}, nil}, {nil, nil, {"("}}} {
		if _, err := NewReader(lists[0], lists[1], lists[2]); err == nil {
			t.Error("no error")
		}
	}
}

func TestBare(t *testing.T) {
	for line, want := range map[string]string{
		"  ┌──┤ [!!] Title ├──┐": "[!!] Title",
		"  │  in a frame   │":    "in a frame",
		"└──────┘":               "",
		"  indented":             "  indented",
		"a │ b":                  "a │ b",
	} {
		if got := Bare(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestFilter(t *testing.T) {
	var f Filter
	for _, test := range []struct {
		line string
		keep bool
	}{
		{"[    0.000000] Linux version 6.1", false},
		{"[  OK  ] Started Journal Service.", false},
		{"         Starting Journal Service...", false},
		{"│ ███████ 45% │", false},
		{"[           (0*start)                          ][ Nov 25 19:46 ]", false},
		{"[            (1*installer)  2 shell  3 shell  4- log           ][ Nov 25 19:20 ]", false},
		{"Installing bash", true},
		{"Installing bash", false},
		{"Installing zsh", true},
		{"Installing bash", false},
		{"[FAILED] Failed to start Network.", true},
	} {
		if got := f.Keep(test.line); got != test.keep {
			t.Errorf("%q: %v", test.line, got)
		}
	}
}
