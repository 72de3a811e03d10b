package qemu

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-maas/packer-plugin-maas/internal/filesystem/fstest"
)

// guest is testdata/guest.c, compiled once.
var guest = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "maas-guest-")
	if err != nil {
		return "", err
	}
	target := filepath.Join(dir, "guest")
	out, err := exec.Command("gcc", "-m32", "-Os", "-ffreestanding", "-fno-pic", "-no-pie", "-nostdlib", "-static",
		"-fno-stack-protector", "-fno-toplevel-reorder", "-fno-asynchronous-unwind-tables",
		"-Wl,-N,-Ttext=0x100000,--build-id=none,-z,noexecstack", "-o", target, "testdata/guest.c").CombinedOutput()
	if err != nil {
		_ = os.RemoveAll(dir)
		return "", &compileError{err, out}
	}
	return target, nil
})

type compileError struct {
	err error
	out []byte
}

func (e *compileError) Error() string { return e.err.Error() + ": " + string(e.out) }

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := guest(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// result is what a build came to.
type result struct {
	artifact packersdk.Artifact
	err      error
	said     string
	took     time.Duration
	folder   string
}

// run runs a build whose installer is the guest, and does what script says.
func run(t *testing.T, script string, more map[string]any) result {
	t.Helper()
	return runContext(t.Context(), t, script, more, nil)
}

func runContext(ctx context.Context, t *testing.T, script string, more map[string]any, boot []string) result {
	t.Helper()
	fstest.RequireTool(t, "qemu-system-x86_64", "qemu-img", "gcc")
	kernel, err := guest()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "out")
	options := map[string]any{
		"architecture": "amd64", "accelerator": "tcg", "packer_build_name": "test", "output_directory": folder,
		"kernel": kernel, "kernel_arguments": script, "disk_interface": "ide", "disk_size": "16M", "memory": 64, "cpus": 1,
		"shutdown_timeout": "60s",
	}
	maps.Copy(options, more)
	if options["kernel"] == "" {
		delete(options, "kernel")
		delete(options, "kernel_arguments")
	}
	var b Builder
	if _, _, err := b.Prepare(options); err != nil {
		t.Fatal(err)
	}
	if boot != nil {
		b.config.QEMU.BootCommand, b.config.QEMU.BootWait = boot, 5*time.Second
	}
	said := new(buffer)
	start := time.Now()
	artifact, err := b.Run(ctx, &packersdk.BasicUi{Reader: strings.NewReader(""), Writer: said, ErrorWriter: said}, &packersdk.DispatchHook{})
	return result{artifact, err, said.String(), time.Since(start), folder}
}

// buffer is one that several goroutines can write to.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// left are the files beside and in the output folder.
func (r result) left(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Dir(r.folder), func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(filepath.Dir(r.folder), path)
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestInstall(t *testing.T) {
	t.Parallel()
	r := run(t, "say:Installing_bash say:[____1.234567]_kernel_talk write say:done off", nil)
	if r.err != nil {
		t.Fatal(r.err)
	}
	if got := strings.Join(r.left(t), " "); got != "out/packer-test out.console.log" {
		t.Errorf("files: %s", got)
	}
	a := r.artifact
	if a.BuilderId() != "transcend.qemu" || len(a.Files()) != 1 || a.State("diskName") != "packer-test" || a.State("diskType") != "qcow2" ||
		a.State("domainType") != "tcg" || a.State("diskPaths").([]string)[0] != a.Files()[0] {
		t.Errorf("artifact %+v", a)
	}
	if !strings.Contains(r.said, "Installing bash") || strings.Contains(r.said, "kernel talk") {
		t.Errorf("it said:\n%s", r.said)
	}
	log, err := os.ReadFile(r.folder + ".console.log")
	if err != nil || string(log) != "Installing bash\n[    1.234567] kernel talk\ndone\n" {
		t.Errorf("log %q, %v", log, err)
	}
	// What the guest wrote is on the disk.
	out, err := exec.Command("qemu-io", "-r", "-f", "qcow2", "-c", "read -P 0x41 0 440", a.Files()[0]).CombinedOutput()
	if err != nil || strings.Contains(string(out), "failed") {
		t.Errorf("%v: %s", err, out)
	}
	if err := a.Destroy(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(r.folder); err == nil {
		t.Error("the folder is still there")
	}
}

// Each way to die ends the build soon, with the reason, the last lines, and a
// screenshot; nothing else is left.
func TestDeadInstallers(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		more   map[string]any
		want   []string
		within time.Duration
	}{
		"panic": {
			"say:Installing say:Kernel_panic_-_not_syncing:_no_init say:trace" + strings.Repeat(" say:Call_Trace", 20), nil,
			[]string{"the kernel panicked: Kernel panic - not syncing: no init", "  Installing\n", "  trace\n"},
			10 * time.Second,
		},
		"shell": {"say:Begin ask:(initramfs)_", nil, []string{"the initial RAM disk gave up"}, 10 * time.Second},
		"own pattern": {
			"say:disk_0_is_broken",
			map[string]any{"failure_patterns": []string{"disk .* is broken"}},
			[]string{"a failure pattern matched: disk 0 is broken"},
			10 * time.Second,
		},
		"power off":         {"say:bye off", nil, []string{"without having written to a disk", "  bye\n"}, 10 * time.Second},
		"power off at once": {"off", nil, []string{"without having written to a disk", "The serial console was silent"}, 10 * time.Second},
		"reset":             {"reset", nil, []string{"without having written to a disk"}, 10 * time.Second},
		"power off early": {
			"write off",
			map[string]any{"success_patterns": []string{"complete"}},
			[]string{"before any of success_patterns"},
			10 * time.Second,
		},
		"panic, then off": {"write say:Kernel_panic_-_not_syncing off", nil, []string{"the kernel panicked"}, 10 * time.Second},
		"hang": {
			"say:Installing write",
			map[string]any{"stall_timeout": "3s"},
			[]string{"the machine hangs", "stall_timeout", "  Installing\n"},
			12 * time.Second,
		},
		"clock": {
			"write say:[_(1*installer)_][_10:01_] wait:2 say:[_(1*installer)_][_10:02_] wait:2 say:[_(1*installer)_][_10:03_] wait:2 say:[_(1*installer)_][_10:04_]",
			map[string]any{"stall_timeout": "3s"},
			[]string{"the machine hangs"},
			9 * time.Second,
		},
		"too slow": {
			"say:a wait:9",
			map[string]any{"shutdown_timeout": "2s", "stall_timeout": "-1s"},
			[]string{"did not power off within 2s (shutdown_timeout)"},
			10 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, test.script, test.more)
			if r.err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(test.want, "the screen is in "+r.folder+".screen.png", "All of it is in "+r.folder+".console.log") {
				if !strings.Contains(r.err.Error(), want) {
					t.Errorf("the error has no %q:\n%v", want, r.err)
				}
			}
			if r.took > test.within {
				t.Errorf("it took %v", r.took)
			}
			if got := strings.Join(r.left(t), " "); got != "out.console.log out.screen.png" {
				t.Errorf("files: %s", got)
			}
		})
	}
}

// What looks like the end, or is silent for a while, is none.
func TestLivingInstallers(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		more   map[string]any
	}{
		"ignored": {"say:Kernel_panic_-_not_syncing:_a_drill write off", map[string]any{"ignore_patterns": []string{"a drill"}}},
		"talks":   {"say:1 wait:2 say:2 wait:2 say:3 wait:2 write off", map[string]any{"stall_timeout": "4s"}},
		"writes":  {"write wait:2 write wait:2 write wait:2 off", map[string]any{"stall_timeout": "4s"}},
		"reset":   {"write reset", nil},
		"halted":  {"write say:reboot:_System_halted", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := run(t, test.script, test.more); r.err != nil {
				t.Error(r.err)
			}
		})
	}
}

// A success pattern ends an installation that would not end; the machine, which
// ignores its power button, is switched off.
func TestSuccessPattern(t *testing.T) {
	t.Parallel()
	r := run(t, "write say:All_is_complete", map[string]any{"success_patterns": []string{"^All .* complete$"}, "console": "quiet"})
	if r.err != nil {
		t.Error(r.err)
	}
	if r.took < powerOffLimit || r.took > powerOffLimit+10*time.Second {
		t.Errorf("it took %v", r.took)
	}
}

// What boot_command types arrives, also behind a password. The guest is started
// as a kernel, where a template's boot_command would be an error.
func TestBootCommand(t *testing.T) {
	t.Parallel()
	for _, password := range []bool{false, true} {
		r := runContext(t.Context(), t, "keys:4 write off", map[string]any{"vnc_use_password": password}, []string{"a<wait>b<enter>", "c"})
		if r.err != nil || !strings.Contains(r.said, "BODABMCO\n") { // 1E 30 1C 2E
			t.Errorf("%v\n%s", r.err, r.said)
		}
	}
}

func TestDiskInterfaces(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sata", "virtio-scsi", "virtio"} {
		r := run(t, "off", map[string]any{"disk_interface": name, "disk_additional_size": []string{"1M"}, "cdrom_interface": "virtio-scsi"})
		if r.err == nil || !strings.Contains(r.err.Error(), "without having written") { // and so it ran
			t.Errorf("%s: %v", name, r.err)
		}
	}
}

func TestKernelInISO(t *testing.T) {
	t.Parallel()
	fstest.RequireTool(t, "xorriso")
	kernel, err := guest()
	if err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	content, _ := os.ReadFile(kernel)
	if err := os.WriteFile(filepath.Join(tree, "vmlinuz"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	iso := filepath.Join(t.TempDir(), "a.iso")
	if out, err := exec.Command("xorriso", "-as", "mkisofs", "-quiet", "-R", "-V", "RHEL-7.9 Server.x86_64", "-o", iso, tree).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := run(t, "say:{{.Name}}_{{.Console}}_{{.HTTPIP}}_{{.ISOLabel}} write off", map[string]any{
		"iso_url": iso, "iso_checksum": "none", "kernel": "/VMLINUZ", "console": "all",
		"seed": []any{
			map[string]any{"label": "OEMDRV", "content": map[string]any{"ks.cfg": "x"}},
			map[string]any{"label": "SECOND", "content": map[string]any{"ks.cfg": "x"}, "media": "usb"},
			map[string]any{"label": "THIRD", "content": map[string]any{"ks.cfg": "x"}, "media": "disk"},
		},
	})
	if r.err != nil {
		t.Fatal(r.err)
	}
	if !strings.Contains(r.said, `packer-test ttyS0 10.0.2.2 RHEL-7.9\x20Server.x86`) {
		t.Errorf("it said:\n%s", r.said)
	}
}

func TestMissingKernel(t *testing.T) {
	r := run(t, "off", map[string]any{"kernel": "/no/such/kernel"})
	if r.err == nil || !strings.Contains(r.err.Error(), "/no/such/kernel: no such file or directory; nor is there an ISO") {
		t.Errorf("error %v", r.err)
	}
	if left := r.left(t); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestWrongArguments(t *testing.T) {
	r := run(t, "off", map[string]any{"qemuargs": [][]string{{"-no-such-option"}}})
	if r.err == nil || !strings.Contains(r.err.Error(), "start the machine: qemu-system-x86_64: -no-such-option: invalid option") {
		t.Errorf("error %v", r.err)
	}
}

// Cancelled, a build leaves nothing.
func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	r := runContext(ctx, t, "say:Installing", map[string]any{"tpm": true}, nil)
	if r.err == nil || r.took > 8*time.Second {
		t.Errorf("error %v after %v", r.err, r.took)
	}
	if got := strings.Join(r.left(t), " "); got != "out.console.log" {
		t.Errorf("files: %s", got)
	}
	if out, _ := exec.Command("pgrep", "-af", r.folder).CombinedOutput(); len(out) > 0 {
		t.Errorf("processes are left: %s", out)
	}
}
