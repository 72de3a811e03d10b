package region

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Sizes of chunks, in bytes.
const (
	// DefaultChunkSize is what MAAS's own command line sends at a time.
	DefaultChunkSize = 4 << 20
	// MaxChunkSize is what nginx in front of each region takes.
	MaxChunkSize = 10 << 20
)

// Reporter shows how an upload goes on.
type Reporter interface {
	// Say tells of a step, or of something a person should know.
	Say(message string)
	// Progress is called after each chunk, with the bytes that the region has
	// of all bytes.
	Progress(done, total int64)
}

// Options say how to upload. The zero value is a good choice.
type Options struct {
	// ChunkSize in bytes; 0 means DefaultChunkSize.
	ChunkSize int64
	// Patience is how long faults may go on without one byte of progress;
	// 0 means 10 minutes.
	Patience time.Duration
	// NoWait ends the upload when the region has all bytes, although other
	// region controllers may still fetch them.
	NoWait bool
	// WaitLimit is how long to wait until all of them have the image; 0 means
	// an hour.
	WaitLimit time.Duration
	// Report may be nil.
	Report Reporter

	// pace holds the waits between requests; tests make them short.
	pace pace
}

// pace holds the waits between requests.
type pace struct {
	first, longest time.Duration // of the back-off after a fault
	settle         time.Duration // for a chunk whose reply was lost
	poll           time.Duration // between questions for progress
	stall          time.Duration // without progress, until an image counts as torn apart
}

// An upload begins anew when the region's copy is damaged, but not more often
// than maxRestarts, and not when it has sent maxWaste times the image for
// nothing.
const (
	maxRestarts = 10
	maxWaste    = 2
)

func (o Options) withDefaults() (Options, error) {
	o.ChunkSize = or(o.ChunkSize, DefaultChunkSize)
	if o.ChunkSize < 1 || o.ChunkSize > MaxChunkSize {
		return o, fmt.Errorf("chunk size %d is not between 1 and %d bytes, which is what the nginx in front of MAAS takes", o.ChunkSize, int64(MaxChunkSize))
	}
	o.Patience = or(o.Patience, 10*time.Minute)
	o.WaitLimit = or(o.WaitLimit, time.Hour)
	o.pace.first = or(o.pace.first, time.Second)
	o.pace.longest = or(o.pace.longest, 30*time.Second)
	o.pace.settle = or(o.pace.settle, 5*time.Second)
	o.pace.poll = or(o.pace.poll, time.Second)
	o.pace.stall = or(o.pace.stall, 5*time.Minute)
	if o.Report == nil {
		o.Report = silent{}
	}
	return o, nil
}

type silent struct{}

func (silent) Say(string)            {}
func (silent) Progress(int64, int64) {}

// upload is one upload under way.
type upload struct {
	c       *Client
	image   Image
	plan    Plan
	version Version
	content io.ReaderAt
	size    int64
	opts    Options
	faults  *faults
}

// damaged says that the region's copy cannot become the image any more.
type damaged struct {
	err   error
	sent  int64 // bytes that were sent in vain
	final bool  // starting over is of no use now
}

func (d *damaged) Error() string { return d.err.Error() }
func (d *damaged) Unwrap() error { return d.err }

// Upload brings an image of the given size in bytes into the region, and
// returns its resource. An image that the region has already, byte for byte,
// is not sent; an upload that was interrupted goes on where it stopped, also
// in another process. Rules are not looked at: see PlanFor and Client.Check.
func (c *Client) Upload(ctx context.Context, image Image, content io.ReaderAt, size int64, opts Options) (Resource, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return Resource{}, err
	}
	u := &upload{c: c, content: content, size: size, opts: opts, faults: newFaults(opts)}
	if image.SHA256 = normal(image).SHA256; !hexSHA256.MatchString(image.SHA256) {
		return Resource{}, fmt.Errorf("upload %s: its SHA-256 is not given as 64 hexadecimal digits", image.Name)
	}
	if size < 1 {
		return Resource{}, fmt.Errorf("upload %s: the image is empty", image.Name)
	}
	resource, err := u.run(ctx, image)
	if err != nil {
		return resource, fmt.Errorf("upload %s: %w", image.Name, err)
	}
	return resource, nil
}

// run sends the image, anew if the region's copy is damaged.
func (u *upload) run(ctx context.Context, image Image) (Resource, error) {
	err := u.retry(ctx, func() (err error) {
		u.version, err = u.c.Version(ctx)
		return err
	})
	if err != nil {
		return Resource{}, err
	}
	u.plan = PlanFor(image, u.version)
	u.image = u.plan.Image
	var wasted int64
	for try := 1; ; try++ {
		t, err := u.target(ctx)
		if err != nil {
			return Resource{}, err
		}
		resource, err := u.deliver(ctx, t)
		var broken *damaged
		if !errors.As(err, &broken) {
			return resource, err
		}
		wasted += broken.sent
		if try > maxRestarts || wasted > maxWaste*u.size {
			broken.final = true
		}
		if err := u.startOver(ctx, t, broken, try); err != nil {
			return Resource{}, err
		}
	}
}

// deliver brings all bytes to the target and sees them stored.
func (u *upload) deliver(ctx context.Context, t *target) (Resource, error) {
	before := u.c.dials.Load()
	whole := t.received == 0 || t.complete
	if err := u.send(ctx, t); err != nil {
		return Resource{}, err
	}
	return u.wait(ctx, t, whole && u.c.dials.Load() == before)
}

// startOver removes the region's damaged copy. No other image is lost with
// it: MAAS removed the older ones of this name when the upload began.
func (u *upload) startOver(ctx context.Context, t *target, broken *damaged, try int) error {
	var refusal *StatusError
	if errors.As(broken, &refusal) && refusal.Status == http.StatusBadRequest && try == 1 {
		if err := u.checkContent(ctx); err != nil {
			return errors.Join(err, u.remove(ctx, t))
		}
	}
	if err := u.remove(ctx, t); err != nil {
		return err
	}
	if !broken.final {
		u.opts.Report.Say(fmt.Sprintf("The region's copy is damaged and was removed, starting over: %v", broken))
		return nil
	}
	removed := "what the region had of the image was removed, for it was damaged"
	if try == 1 {
		return fmt.Errorf("%w; %s", broken, removed)
	}
	advice := "the way to the region, or its disk, damages data; look at its log, then run the upload again"
	if t.controllers > 1 {
		advice += fmt.Sprintf("; if its address leads to another of the %d region controllers at each connection, each gets a part: use the address of one of them", t.controllers)
	}
	return fmt.Errorf("%w; that happened %d times; %s; %s", broken, try, removed, advice)
}

func (u *upload) remove(ctx context.Context, t *target) error {
	return u.retry(ctx, func() error { return u.c.Delete(ctx, t.id) })
}

// checkContent reads the image again, to tell a damaged copy from an image
// that is not what its checksum says.
func (u *upload) checkContent(ctx context.Context) error {
	sum := sha256.New()
	content := io.NewSectionReader(u.content, 0, u.size)
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, err := content.Read(buf)
		sum.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read image: %w", err)
		}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != u.image.SHA256 {
		return fmt.Errorf("the image's SHA-256 is %s, not %s as it was when it was made: the file changed, or is damaged; make it again", got, u.image.SHA256)
	}
	return nil
}
