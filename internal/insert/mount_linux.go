package insert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mountLimit is far more than mounting takes on slow storage.
	mountLimit = time.Minute
	// stopLimit is how long writing what is left to write may take.
	stopLimit = 5 * time.Minute
	// detachLimit is far more than fusermount takes.
	detachLimit = 10 * time.Second
)

// withMounted has ntfs-3g mount an image as long as a function runs. It stays
// in the foreground, and unmounts when it is told to end.
func withMounted(ctx context.Context, image, mounted string, do func() error) (err error) {
	cmd := exec.Command("ntfs-3g", "-o", "no_detach,norecover,rw", image, mounted)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,            // a terminal's Ctrl-C is ours to handle
		Pdeathsig: syscall.SIGTERM, // nothing stays mounted when we are killed; of a user, setuid programs do not get it
	}
	runtime.LockOSThread() // whose end that signal is tied to
	defer runtime.UnlockOSThread()
	before, err := os.Stat(mounted)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start ntfs-3g: %w", err)
	}
	defer func() {
		if err != nil {
			detach(ctx, mounted)
		}
	}()
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	limit := time.After(mountLimit)
	for !isMounted(before, mounted) {
		select {
		case <-exited:
			return fmt.Errorf("ntfs-3g cannot mount it; it needs /dev/fuse, and root or its own setuid bit: %s; or %s", oneLine(said.String()), betterWay)
		case <-limit:
			err = fmt.Errorf("ntfs-3g did not mount it within %v", mountLimit)
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(5 * time.Millisecond):
			continue
		}
		break
	}
	if err == nil {
		err = do()
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case werr := <-exited:
		if werr != nil && err == nil {
			err = fmt.Errorf("ntfs-3g: %w: %s", werr, oneLine(said.String()))
		}
	case <-time.After(stopLimit):
		_ = cmd.Process.Kill()
		err = errors.Join(err, fmt.Errorf("ntfs-3g did not unmount within %v", stopLimit))
	}
	return err
}

// detach unmounts what an ntfs-3g that was killed has left: a folder that can
// neither be read nor removed. Where nothing is mounted it does nothing.
func detach(ctx context.Context, mounted string) {
	if err := unix.Unmount(mounted, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); !errors.Is(err, unix.EPERM) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), detachLimit)
	defer cancel()
	_, _ = run(ctx, "fusermount", "-u", "-z", mounted) // those who mounted may
}

// isMounted says whether another file system is at a folder by now.
func isMounted(before os.FileInfo, folder string) bool {
	now, err := os.Stat(folder)
	if err != nil {
		return false
	}
	old, ok1 := before.Sys().(*syscall.Stat_t)
	stat, ok2 := now.Sys().(*syscall.Stat_t)
	return ok1 && ok2 && old.Dev != stat.Dev
}
