package machine

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// trialLimit is how long hardware acceleration may take to run a few
// instructions. Where it works it takes a tenth of that; there are hosts whose
// KVM works but is slower than none.
const trialLimit = 5 * time.Second

const sector = 512

// The guests of a trial say OK on their serial port, after what shows that the
// processor is really there.
//
// On amd64 it is a boot sector that goes from real mode into long mode, with
// paging on, as Linux does:
//
//	     cli                            ; segments, a stack
//	     xor  %ax, %ax
//	     mov  %ax, %ds; mov %ax, %es; mov %ax, %ss
//	     mov  $0x7000, %sp
//	     mov  $0x1000, %edi             ; page tables: 2 MiB as they are
//	     mov  %edi, %cr3
//	     xor  %eax, %eax
//	     mov  $3072, %ecx
//	     cld
//	     rep  stosl
//	     movl $0x2003, 0x1000
//	     movl $0x3003, 0x2000
//	     movl $0x83, 0x3000
//	     mov  %cr4, %eax; or $0x20, %eax; mov %eax, %cr4
//	     mov  $0xc0000080, %ecx         ; long mode
//	     rdmsr; or $0x100, %eax; wrmsr
//	     lgdt gdtr
//	     mov  %cr0, %eax; or $0x80000001, %eax; mov %eax, %cr0
//	     ljmp $8, $long
//	long:                               ; 64 bits from here
//	     mov  $16, %eax
//	     mov  %eax, %ds; mov %eax, %es; mov %eax, %ss
//	     mov  $text, %rsi
//	next: lodsb
//	     test %al, %al
//	     jz   end
//	     mov  $0x3f8, %dx
//	     out  %al, %dx
//	     jmp  next
//	end: mov  $0xf4, %dx
//	     mov  $0x10, %al
//	     out  %al, %dx
//	halt: hlt
//	     jmp  halt
//	text: .asciz "OK"
//	     .balign 8
//	gdt: .quad 0, 0x00209a0000000000, 0x0000920000000000
//	gdtr: .word 23; .long gdt
//
// On arm64 it is what QEMU starts as a kernel:
//
//	     movz x1, #0x0900, lsl #16      ; the serial port of the machine virt
//	     mov  w0, #'O'; str w0, [x1]
//	     mov  w0, #'K'; str w0, [x1]
//	     movz x0, #0x8400, lsl #16      ; PSCI: system off
//	     movk x0, #0x0008
//	     hvc  #0
//	halt: wfi
//	     b    halt
var trials = map[string]struct {
	code    string
	machine string
	disk    int64
	args    func(path string) []string
}{
	"amd64": {
		code: "fa31c08ed88ec08ed0bc007066bf001000000f22df6631c066b9000c0000fc66f3ab66c70600100320000066c7060020033000" +
			"0066c7060030830000000f20e06683c8200f22e066b9800000c00f32660d000100000f300f0116b07c0f20c0660d010000800f22" +
			"c0ea6d7c0800b8100000008ed88ec08ed048c7c6957c0000ac84c0740766baf803eeebf466baf400b010eef4ebfd4f4b00000000" +
			"000000000000000000009a200000000000009200001700987c",
		machine: "q35",
		disk:    1 << 20, // firmware does not start from a disk of one sector
		args:    func(path string) []string { return []string{"-drive", "format=raw,if=ide,file=" + path} },
	},
	"arm64": {
		code:    "0120a1d2e0098052200000b960098052200000b90080b0d2000180f2020000d47f2003d5ffffff17",
		machine: "virt",
		args:    func(path string) []string { return []string{"-kernel", path} },
	},
}

// Try starts a machine with an accelerator and a processor, and says why it
// does not run code. That /dev/kvm is there says nothing: it may belong to
// somebody else, be for another architecture, or be a sandbox's that runs some
// code and not other. Its files are in dir.
func Try(ctx context.Context, program, architecture, accelerator, cpu, dir string) error {
	trial, known := trials[architecture]
	if !known {
		return fmt.Errorf("%s is not known", architecture)
	}
	code, err := hex.DecodeString(trial.code)
	if err != nil {
		return err
	}
	if trial.disk > 0 {
		code = append(code, make([]byte, sector-len(code))...)
		copy(code[sector-2:], []byte{0x55, 0xaa})
		code = append(code, make([]byte, trial.disk-sector)...)
	}
	path := filepath.Join(dir, "trial.raw")
	if err := os.WriteFile(path, code, 0o600); err != nil {
		return err
	}
	defer os.Remove(path)

	m, err := Start(ctx, Config{Program: program, Args: append([]string{
		"-machine", trial.machine, "-accel", accelerator, "-cpu", cpu, "-m", "64", "-nodefaults", "-display", "none",
	}, trial.args(Quote(path))...)})
	if err != nil {
		return err
	}
	defer m.Close()
	return m.saysOK(ctx)
}

func (m *Machine) saysOK(ctx context.Context) error {
	if err := m.console.SetReadDeadline(time.Now().Add(trialLimit)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = m.console.SetReadDeadline(time.Now()) })
	defer stop()
	var said []byte
	for !bytes.Contains(said, []byte("OK")) {
		buffer := make([]byte, 256)
		n, err := m.console.Read(buffer)
		said = append(said, buffer[:n]...)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		select {
		case <-m.qemu.Exited():
			if err := m.qemu.Err(); err != nil {
				return err
			}
		default:
		}
		return fmt.Errorf("it did not run a few instructions within %v", trialLimit)
	}
	return nil
}
