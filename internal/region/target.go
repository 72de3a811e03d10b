package region

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// target is the file in the region that the image goes to.
type target struct {
	id          int    // of the resource
	path        string // where chunks go, below the API's root
	received    int64  // bytes that the region has
	complete    bool
	controllers int   // region controllers
	doubtful    int64 // bytes that the region may have without counting them
}

// target finds where the image goes: the file of an earlier upload of the same
// bytes, or a new one.
func (u *upload) target(ctx context.Context) (*target, error) {
	for {
		t, err := u.find(ctx)
		if err == nil && t == nil {
			t, err = u.create(ctx)
		}
		if err == nil {
			return t, nil
		}
		// A lost reply to a create that was done is seen by looking again.
		if err := u.faults.pass(ctx, err); err != nil {
			return nil, err
		}
	}
}

// find looks for the image among what the region has; nil if it is not there.
func (u *upload) find(ctx context.Context) (*target, error) {
	resources, err := u.c.Resources(ctx)
	if err != nil {
		return nil, err
	}
	var ours *target
	for _, r := range resources {
		same := r.Name == u.image.Name && r.Architecture == u.image.Architecture
		// MAAS 3.8 keeps one file for equal bytes, whatever their name, and
		// deletes it when they are sent again.
		if !r.IsUploaded() || !same && !u.version.Family(3, 8) {
			continue
		}
		if r, err = u.c.Resource(ctx, r.ID); isStatus(err, http.StatusNotFound) {
			continue // deleted since it was listed
		} else if err != nil {
			return nil, err
		}
		if !same {
			if r.holds(u.image.SHA256) {
				return nil, fmt.Errorf("the region has these bytes as %q for %s (image %d), and MAAS %s deletes a file that is sent a second time; deploy that image, or delete it there first", r.Name, r.Architecture, r.ID, u.version)
			}
			continue
		}
		if ours, err = u.resume(ctx, r); err != nil {
			return nil, err
		}
	}
	return ours, nil
}

// holds says whether any file of the resource has the checksum.
func (r Resource) holds(sum string) bool {
	for _, set := range r.Sets {
		for _, file := range set.Files {
			if strings.EqualFold(file.SHA256, sum) {
				return true
			}
		}
	}
	return false
}

// resume is the target in a resource of the image's name; nil if the resource
// does not have the image's bytes as the image wants them.
func (u *upload) resume(ctx context.Context, r Resource) (*target, error) {
	base := u.image.BaseImage
	fits := u.plan.System != custom || base == "" || r.BaseImage == "" || r.BaseImage == base
	complete, found := r.Newest(func(s Set) bool { return s.Complete && len(s.Files) > 0 })
	if !fits && found {
		return nil, fmt.Errorf("the region has %q with base_image %q (image %d), and an upload does not change that; delete it there first, or choose another name", r.Name, r.BaseImage, r.ID)
	}
	if file, ok := u.file(complete); ok && found && file.Complete {
		if !u.titled(r) {
			u.opts.Report.Say(fmt.Sprintf("The title in the region stays %q: only a new upload would change it", r.Title))
		}
		return &target{id: r.ID, received: u.size, complete: true}, nil
	}
	t, err := u.pick(ctx, r)
	if err != nil {
		return nil, err
	}
	if t != nil && fits && u.titled(r) {
		return t, nil
	}
	// What is left cannot be gone on with. On 3.8 its bytes would stay behind
	// and get mixed with the new ones; and no upload changes a base image.
	if !fits || r.holds(u.image.SHA256) {
		return nil, u.c.Delete(ctx, r.ID)
	}
	return nil, nil
}

// unknownDoubt are the doubtful bytes of an earlier run: 16 chunks.
const unknownDoubt = 16 * MaxChunkSize

// titled says whether the resource has the title wanted.
func (u *upload) titled(r Resource) bool { return u.image.Title == "" || r.Title == u.image.Title }

// file is the set's file that is the image.
func (u *upload) file(s Set) (File, bool) {
	for _, f := range s.Files {
		if f.SHA256 == u.image.SHA256 && f.Size == u.size && (u.plan.StoredFiletype == "" || f.Filetype == u.plan.StoredFiletype) {
			return f, true
		}
	}
	return File{}, false
}

// pick is the target among a resource's sets, by checksum: the order of the
// sets' versions does not say which one was created last.
func (u *upload) pick(ctx context.Context, r Resource) (*target, error) {
	set, found := r.Newest(func(s Set) bool { _, ok := u.file(s); return ok })
	if !found {
		return nil, nil
	}
	file, _ := u.file(set)
	t := &target{id: r.ID, complete: set.Complete && file.Complete, controllers: 1}
	if u.version.Family(3, 5) {
		controllers, err := u.c.Controllers(ctx)
		if err != nil {
			return nil, err
		}
		t.controllers = max(1, len(controllers))
	}
	t.received = received(file, u.version, t.controllers)
	if t.received > 0 {
		t.doubtful = unknownDoubt
	}
	if file.UploadURI != "" {
		// Below our own root, not where the reply says: the key goes nowhere
		// else.
		_, path, ok := strings.Cut(file.UploadURI, "/api/2.0/")
		if !ok || strings.Contains(path, "..") || strings.Contains(path, "?") {
			return nil, fmt.Errorf("image %d: the region names %q to upload to, which is none of its API", r.ID, clip(file.UploadURI))
		}
		t.path = path
	}
	return t, nil
}

// received are the bytes that the region has of a file, out of its progress.
// Until 3.4 that is size divided by received bytes; from 3.5 on it is a
// percentage of what all region controllers together should have, so that it
// goes on growing while they copy from each other.
func received(f File, v Version, controllers int) int64 {
	switch {
	case f.Complete:
		return f.Size
	case f.Progress <= 0 || math.IsNaN(f.Progress) || math.IsInf(f.Progress, 0):
		return 0
	case !v.Family(3, 5):
		return int64(math.Round(float64(f.Size) / f.Progress))
	}
	return int64(math.Round(f.Progress / 100 * float64(f.Size) * float64(controllers)))
}

// create makes a boot resource without content.
func (u *upload) create(ctx context.Context) (*target, error) {
	form := url.Values{
		"name": {u.image.Name}, "architecture": {u.image.Architecture}, "filetype": {u.image.Filetype},
		"sha256": {u.image.SHA256}, "size": {strconv.FormatInt(u.size, 10)}, "title": {u.image.Title},
	}
	if u.plan.System == custom {
		base := u.image.BaseImage
		if base == "" {
			// Without one, MAAS answers 500 to mistakes.
			if series, err := u.c.setting(ctx, "commissioning_distro_series"); err == nil && series != "" {
				base = "ubuntu/" + series
			}
		}
		form.Set("base_image", base)
	}
	var r Resource
	if err := u.c.postForm(ctx, "boot-resources/", form, &r); err != nil {
		return nil, err
	}
	t, err := u.pick(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, fmt.Errorf("the region created image %d without a file for this image in it", r.ID)
	case t.path == "" && !t.complete && t.received < u.size:
		return nil, fmt.Errorf("the region created image %d and names no place to upload to", r.ID)
	}
	return t, nil
}

// ask asks the region how much it has by now.
func (u *upload) ask(ctx context.Context, t *target) (r Resource, now *target, err error) {
	err = u.retry(ctx, func() (err error) {
		if r, err = u.c.Resource(ctx, t.id); err != nil {
			return err
		}
		if now, err = u.pick(ctx, r); err == nil && now == nil {
			err = fmt.Errorf("image %d no longer has this upload: another upload of the same name took its place; when that has ended, run the upload again", t.id)
		}
		return err
	})
	if isStatus(err, http.StatusNotFound) {
		err = fmt.Errorf("%w; run the upload again", err)
	}
	return r, now, err
}
