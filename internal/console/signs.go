package console

import (
	"fmt"
	"regexp"
)

// Kind is what a line means.
type Kind int

// What lines mean.
const (
	Nothing  Kind = iota
	Progress      // of an installer, worth a message
	Halted        // the system is down, and leaves the machine on
	Success       // the template says so
	Failure       // nothing good comes after it
)

// Sign is what a line is a sign of.
type Sign struct {
	Kind Kind
	What string // in words
}

type pattern struct {
	Sign

	line *regexp.Regexp
}

// table are the lines that systems and installers are known to write. A line
// is here as a failure only if nothing goes on by itself after it.
var table = []pattern{
	sign(Failure, "the kernel found no root file system", `VFS: Unable to mount root fs`),
	sign(Failure, "the kernel panicked", `Kernel panic - not syncing`),
	sign(Failure, "the system is in an emergency shell", `You are in emergency mode|Entering emergency mode|Give root password for maintenance|Press Enter for maintenance`),
	sign(Failure, "the initial RAM disk gave up, and is in a shell", `^\(initramfs\)|^dracut:/#|Dropping to a shell!`),
	sign(Failure, "the boot loader gave up, and is in a shell", `^grub( rescue)?>\s*$|^error: no such (device|partition)|^UEFI Interactive Shell`),
	sign(Failure, "the firmware found nothing to start", `^No bootable device|BdsDxe: (No bootable option|starting Boot\w+ "(UiApp|EFI Internal Shell)")`),
	sign(Halted, "the system has halted", `reboot: System halted|^System halted\.?$|The operating system has halted`),

	// anaconda
	sign(Failure, "anaconda stopped", `The installation (was stopped|cannot continue)|Non interactive installation failed|The installer will now terminate`),
	sign(Failure, "anaconda did not understand the kickstart", `error occurred while parsing the kickstart|Kickstart file .* is missing|The following problem occurred on line \d+ of the kickstart`),
	sign(Failure, "anaconda met an error", `An unknown error has occurred|anaconda \S+ exception report|Pane is dead`),
	sign(Failure, "anaconda's dracut found no installer or kickstart", `(dracut|anaconda).*(can't find installer main image|failed to fetch kickstart|Unable to retrieve .*(ks|kickstart))`),
	sign(Progress, "anaconda starts", `Starting installer, one moment|^anaconda \S+ for .* started`),
	sign(Progress, "anaconda runs the kickstart's scripts", `Running post-installation scripts`),
	sign(Progress, "anaconda is done", `^Installation complete|Installing? .*complete\. +Press`),

	// subiquity, curtin
	sign(Failure, "the Ubuntu installer failed", `finish: subiquity/(Install|Autoinstall)(/[^:]*)?: FAIL|subiquity/Error|An error occurred\. Press enter to start a shell|Autoinstall failed|finish: cmd-install: FAIL`),
	sign(Failure, "the Ubuntu installer did not understand the autoinstall data", `Malformed autoinstall|autoinstall.*(ValidationError|is not valid under)`),
	sign(Progress, "the Ubuntu installer installs", `start: subiquity/Install/install/curtin_install`),
	sign(Progress, "the Ubuntu installer is done", `finish: subiquity/Install/install: SUCCESS|subiquity/Shutdown/shutdown`),

	// debian-installer
	sign(Failure, "the Debian installer failed", `An installation step failed|Installation step failed|Failed to retrieve the preconfiguration file|Bad archive mirror|The installer failed to download a file|No root file system is defined|Unable to install GRUB in|No kernel modules were found`),
	sign(Progress, "the Debian installer is done", `^Finishing the installation|Installation is complete`),

	// AutoYaST, linuxrc
	sign(Failure, "AutoYaST failed", `An error occurred during the installation|Error while parsing the control file|YaST got signal|The AutoYaST profile .*(failed|error)|XML (profile|control file).*(invalid|not valid)`),
	sign(Failure, "the SUSE installer found no repository", `No repository found\.?|Could not find the .* Repository`),
	sign(Progress, "YaST starts", `\*\*\* Starting YaST`),

	// agama
	sign(Failure, "agama failed", `agama.*(auto-?install|installation|profile).*(failed|[Ee]rror)|Failed to start .*[Aa]gama`),
	sign(Progress, "agama starts", `Started .*[Aa]gama`),

	// cloud-init
	sign(Failure, "cloud-init did not understand its user data", `Failed loading yaml blob|Unhandled non-multipart \(text/x-not-multipart\) userdata`),
	sign(Progress, "cloud-init is done", `Cloud-init v\. \S+ finished at`),
}

func sign(kind Kind, what, line string) pattern {
	return pattern{Sign: Sign{Kind: kind, What: what}, line: regexp.MustCompile(line)}
}

// Reader tells what lines mean.
type Reader struct {
	patterns []pattern
	ignored  []*regexp.Regexp
}

// NewReader knows the table and a template's own expressions, which come first.
func NewReader(success, failure, ignore []string) (*Reader, error) {
	r := &Reader{}
	for _, own := range []struct {
		sign        Sign
		expressions []string
	}{
		{Sign{Kind: Success, What: "a success pattern matched"}, success},
		{Sign{Kind: Failure, What: "a failure pattern matched"}, failure},
	} {
		for _, expression := range own.expressions {
			line, err := regexp.Compile(expression)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", expression, err)
			}
			r.patterns = append(r.patterns, pattern{Sign: own.sign, line: line})
		}
	}
	for _, expression := range ignore {
		line, err := regexp.Compile(expression)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", expression, err)
		}
		r.ignored = append(r.ignored, line)
	}
	r.patterns = append(r.patterns, table...)
	return r, nil
}

// Line says what a line means.
func (r *Reader) Line(line string) Sign {
	for _, p := range r.patterns {
		if !p.line.MatchString(line) {
			continue
		}
		if p.Kind == Failure && r.ignore(line) {
			return Sign{}
		}
		return p.Sign
	}
	return Sign{}
}

func (r *Reader) ignore(line string) bool {
	for _, expression := range r.ignored {
		if expression.MatchString(line) {
			return true
		}
	}
	return false
}
