package region

import (
	"context"
	"fmt"
	"time"
)

// wait waits until every region controller has the image. That all bytes went
// over one connection means that one controller has all of them.
func (u *upload) wait(ctx context.Context, t *target, oneConnection bool) (Resource, error) {
	start := time.Now()
	moved, last, told := start, int64(-1), ""
	for {
		resource, now, err := u.ask(ctx, t)
		switch {
		case err != nil:
			return Resource{}, err
		case now.complete || u.opts.NoWait:
			return resource, nil
		case now.received != last:
			moved, last = time.Now(), now.received
		case !oneConnection && now.controllers > 1 && now.received <= u.size && time.Since(moved) > u.stall():
			return Resource{}, &damaged{
				sent: u.size,
				err:  fmt.Errorf("image %d has all its bytes, and no region controller has all of them: the connection broke on the way, and the next one led to another controller", t.id),
			}
		case time.Since(start) > u.opts.WaitLimit:
			return resource, fmt.Errorf("the region has all bytes, but image %d is not complete after %s: %s; machines can be deployed with it as soon as it is; if that does not come, look at the region controllers' logs, delete the image and run the upload again", t.id, u.opts.WaitLimit, share(now, u.size))
		}
		u.faults.progress()
		if line := share(now, u.size); line != told {
			u.opts.Report.Say("Waiting for the region controllers: " + line)
			told = line
		}
		if err := sleep(ctx, u.opts.pace.poll); err != nil {
			return Resource{}, err
		}
	}
}

// stall is how long the controllers may take to show that one of them has the
// image whole, by copying it: they may count a copy when it is finished.
func (u *upload) stall() time.Duration {
	return u.opts.pace.stall + time.Duration(u.size/(50<<20))*time.Second
}

// share says how much of the image the region controllers have.
func share(t *target, size int64) string {
	if t.controllers < 2 {
		return "they check and store it"
	}
	percent := min(100, 100*t.received/(size*int64(t.controllers)))
	return fmt.Sprintf("the %d of them have %d %% of it together", t.controllers, percent)
}
