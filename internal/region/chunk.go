package region

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// send brings all bytes that the region does not have yet.
func (u *upload) send(ctx context.Context, t *target) error {
	switch {
	case t.complete:
		u.opts.Report.Say(fmt.Sprintf("The region has this image already (image %d)", t.id))
	case t.received > 0 && t.received < u.size:
		// The region may still be at work on what the earlier run sent last.
		now, err := u.settled(ctx, t, t.received, true, false)
		if err != nil {
			return err
		}
		t.received = now
		u.opts.Report.Say(fmt.Sprintf("Going on with an earlier upload (image %d): the region has %d of %d bytes", t.id, now, u.size))
	}
	for offset := t.received; offset < u.size; {
		next, err := u.sendChunk(ctx, t, offset)
		if err != nil {
			return u.interrupted(err, offset)
		}
		offset = next
		u.faults.progress()
		u.opts.Report.Progress(offset, u.size)
	}
	return nil
}

// interrupted says what a person can do about an upload that stopped.
func (u *upload) interrupted(err error, offset int64) error {
	var broken *damaged
	if errors.As(err, &broken) {
		broken.sent = offset
		return err
	}
	return fmt.Errorf("%w; the region has %d of %d bytes, and the next upload of the same image goes on there", err, offset, u.size)
}

// sendChunk sends the bytes from offset on, and says how many the region has
// then. It does not return before that is certain.
func (u *upload) sendChunk(ctx context.Context, t *target, offset int64) (int64, error) {
	end := min(offset+u.opts.ChunkSize, u.size)
	for {
		sent, err := u.put(ctx, t, offset, end)
		if err == nil {
			return end, nil
		}
		if err := u.judge(err); err != nil {
			return 0, err
		}
		if err := u.faults.pass(ctx, err); err != nil {
			return 0, err
		}
		// The region appends whatever comes: only what it really has tells
		// where to go on.
		open := sent && delivered(err)
		now, err := u.settled(ctx, t, offset, open, end == u.size)
		if err != nil {
			return 0, err
		}
		switch {
		case now == offset:
			if err := u.doubt(t, open, end); err != nil {
				return 0, err
			}
		case now == end || end == u.size && now > end:
			return end, nil
		default:
			return 0, &damaged{err: fmt.Errorf("it has %d bytes, where %d or %d can be", now, offset, end)}
		}
	}
}

// doubt counts chunks that may be in the file although the region does not
// count them: MAAS 3.8 does not take them back when it fails later. They make
// the file too long in the end; MAAS then refuses the chunk that overflows,
// deletes the file, and goes on counting. Only that refusal shows it. Where it
// may have got lost, the upload starts over.
func (u *upload) doubt(t *target, open bool, end int64) error {
	if !open || !u.version.Family(3, 8) {
		return nil
	}
	t.doubtful += u.opts.ChunkSize
	if end+t.doubtful > u.size {
		return &damaged{err: errors.New("it may have more bytes than it counts, or have deleted the file, with an answer that got lost")}
	}
	return nil
}

// judge says of a failed chunk whether the upload can go on; nil if it can.
func (u *upload) judge(err error) error {
	var refusal *StatusError
	if !errors.As(err, &refusal) {
		return nil
	}
	// 3.2 writes "recieved".
	said := strings.ReplaceAll(strings.ToLower(refusal.Words), "recieved", "received")
	switch {
	case refusal.Status == http.StatusConflict && u.version.Family(3, 8):
		// The database forgets the chunk; the file keeps it.
		return &damaged{err: fmt.Errorf("%w: MAAS %s keeps the bytes of a chunk that it refused so", err, u.version)}
	case refusal.Status == http.StatusBadRequest && u.version.Family(3, 8) && strings.Contains(said, "no space left"):
		// It deletes the file, and goes on counting from where it was.
		return &damaged{err: err, final: true}
	case refusal.Status != http.StatusBadRequest:
		return nil
	case strings.Contains(said, "too much data received"), strings.Contains(said, "given sha256"):
		return &damaged{err: err}
	}
	return nil
}

// settled asks how much the region has after a chunk failed. A chunk that was
// sent in full may still be at work in there; sent again now, it would be
// appended twice.
func (u *upload) settled(ctx context.Context, t *target, offset int64, open, last bool) (int64, error) {
	limit := u.opts.pace.settle
	if last {
		// The region reads the whole image before it answers.
		limit = min(limit+time.Duration(u.size/(50<<20))*time.Second, u.c.lastChunkTimeout)
	}
	deadline := time.Now().Add(limit)
	for {
		_, now, err := u.ask(ctx, t)
		switch {
		case err != nil:
			return 0, err
		case now.complete || now.received != offset || !open || !time.Now().Before(deadline):
			return now.received, nil
		}
		if err := sleep(ctx, min(u.opts.pace.poll, limit)); err != nil {
			return 0, err
		}
	}
}

// put sends the bytes from offset to end. It says whether all were handed to
// the connection.
func (u *upload) put(ctx context.Context, t *target, offset, end int64) (sent bool, err error) {
	body := &body{content: io.NewSectionReader(u.content, offset, end-offset), left: end - offset}
	request, err := u.c.request(ctx, http.MethodPut, t.path, body)
	if err != nil {
		return false, err
	}
	request.ContentLength = end - offset
	request.Header.Set("Content-Type", "application/octet-stream")
	timeout := u.c.chunkTimeout
	if end == u.size {
		timeout = max(timeout, u.c.lastChunkTimeout)
	}
	_, err = u.c.exchange(request, timeout)
	if local := body.failed(); local != nil {
		return false, local
	}
	return body.done(), err
}
