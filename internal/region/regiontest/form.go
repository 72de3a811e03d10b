package regiontest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// form is what a POST carries.
type form struct {
	fields map[string]string
	files  map[string][]byte
}

// maxText is how long a name or a title can be.
const maxText = 255

// readForm parses a body as piston does; what it does not know is empty.
func readForm(contentType string, body []byte) (form, *reply) {
	f := form{map[string]string{}, map[string][]byte{}}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return f, nil
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return f, text(400, "Bad Request")
		}
		for name := range values {
			// Django takes the last of several.
			f.fields[name] = values[name][len(values[name])-1]
		}
	case "multipart/form-data":
		if err := f.readParts(multipart.NewReader(bytes.NewReader(body), params["boundary"])); err != nil {
			return f, text(400, "Bad Request")
		}
	}
	return f, nil
}

func (f form) readParts(parts *multipart.Reader) error {
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		body := io.Reader(part)
		if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "base64") {
			// MAAS's own clients in Python write parts as mail does.
			body = base64.NewDecoder(base64.StdEncoding, part)
		}
		data, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		if part.FileName() != "" {
			f.files[part.FormName()] = data
		} else {
			f.fields[part.FormName()] = string(data)
		}
	}
}

// announcement is a form that has passed: what is going to be uploaded.
type announcement struct {
	name, arch, kind string
	title, base      string
	sha256           string
	size             int64
	keepOld          bool
	content          []byte // all of it, where it came in the form
}

// check is one look at a form: the values so far, and the complaints.
type check struct {
	r      *Region
	form   form
	errors fieldErrors
}

// validate does what the form of 3.2 to 3.8 does, in its order.
func (r *Region) validate(f form) (announcement, *reply) {
	c := check{r, f, fieldErrors{}}
	a := announcement{content: f.files["content"], keepOld: truth(f.fields["keep_old"])}
	_, whole := f.files["content"]
	whole = whole && !r.behaves.atLeast(3, 8, 0)
	name, refused := c.name()
	if refused != nil {
		return a, refused
	}
	a.name, a.arch = name, c.architecture()
	a.title = c.text("title", false)
	a.kind = c.filetype()
	a.base, refused = c.base(a)
	if refused != nil {
		return a, refused
	}
	if whole {
		if len(a.content) == 0 {
			c.errors.add("content", "The submitted file is empty.")
		}
		b := blob{data: a.content, size: int64(len(a.content))}
		a.sha256, a.size = b.sum(), b.size
	} else {
		a.content = nil
		a.sha256, a.size = c.sha256(), c.size()
	}
	if len(c.errors) > 0 {
		return a, c.errors.reply()
	}
	return a, nil
}

// truth reads a BooleanField.
func truth(s string) bool { return !slices.Contains([]string{"", "0", "false", "False"}, s) }

// text returns a field without the space around it.
func (c check) text(field string, required bool) string {
	s := strings.TrimSpace(c.form.fields[field])
	if n := utf8.RuneCountInString(s); n > maxText {
		c.errors.add(field, "Ensure this value has at most %d characters (it has %d).", maxText, n)
	}
	if required && s == "" {
		c.errors.add(field, "This field is required.")
	}
	return s
}

// name returns "" where there is a complaint about it.
func (c check) name() (string, *reply) {
	v := c.r.behaves
	name := c.text("name", true)
	if len(c.errors["name"]) > 0 {
		return "", nil
	}
	if parts := strings.Split(name, "/"); len(parts) > 2 {
		return "", crash("too many values to unpack (expected 2)")
	} else if len(parts) == 2 {
		known := slices.Contains(v.osystems(), parts[0])
		switch {
		case parts[0] == "custom" && !v.atLeast(3, 8, 0):
			name = parts[1]
		case !known:
			c.errors.add("name", "Unsupport operating system %s, supported operating systems: ['%s']",
				parts[0], strings.Join(v.osystems(), "', '"))
			return "", nil
		}
	}
	if name == "" {
		c.errors.add("name", "This field cannot be blank.")
		return "", nil
	}
	if v.reserved(name) {
		c.errors.add("name", "%s is a reserved name", name)
		return "", nil
	}
	return name, nil
}

func (c check) architecture() string {
	arch, usable := c.text("architecture", true), c.r.architectures()
	if arch != "" && !slices.Contains(usable, arch) {
		if len(usable) == 0 {
			usable = []string{""}
		}
		c.errors.add("architecture", "'%s' is not a valid architecture.  It should be one of: '%s'.",
			arch, strings.Join(usable, "', '"))
	}
	if len(c.errors["architecture"]) > 0 {
		return ""
	}
	return arch
}

// filetype returns the stored type.
func (c check) filetype() string {
	sent, has := c.form.fields["filetype"]
	if !has {
		sent = "tgz"
	}
	for _, t := range filetypes {
		if t.upload == sent {
			return t.stored
		}
	}
	if sent == "" {
		c.errors.add("filetype", "This field is required.")
	} else {
		c.errors.add("filetype", "Select a valid choice. %s is not one of the available choices.", sent)
	}
	return ""
}

// commissioning is what an image is based on if nothing else is said: the
// region's setting for commissioning.
const commissioning = "ubuntu/noble"

// base returns the base image. It looks at the name as sent, and where nothing
// is said about the base at what the name already has, which does not go well
// when name or architecture are refused.
func (c check) base(a announcement) (string, *reply) {
	if osystem, _, prefixed := strings.Cut(c.form.fields["name"], "/"); prefixed && osystem != "custom" {
		return "", nil
	}
	base, sent := c.text("base_image", false), c.form.fields["base_image"] != ""
	if base == "" {
		if a.name == "" {
			return "", crash("'name'")
		}
		if a.arch == "" {
			return "", crash("'architecture'")
		}
		if old := c.r.uploaded(a.name, a.arch); old != nil {
			base = old.base
		}
	}
	parts := strings.Split(strings.ToLower(base), "/")
	switch {
	case len(parts) != 2 && !sent:
		return commissioning, nil
	case len(parts) != 2:
		c.errors.add("base_image", "a base image must follow the format: <osystem>/<series>")
	case !slices.Contains(c.r.behaves.baseSystems(), parts[0]):
		c.errors.add("base_image", "custom images require a valid non-custom OS type base image")
	case parts[0] == "ubuntu" && !slices.Contains(codenames, parts[1]):
		c.errors.add("base_image", "please select a valid base image OS and version")
	}
	return strings.Join(parts, "/"), nil
}

// sha256 is checked by length alone.
func (c check) sha256() string {
	const length = 64
	sum := c.text("sha256", true)
	switch n := utf8.RuneCountInString(sum); {
	case n == 0:
	case n < length:
		c.errors.add("sha256", "Ensure this value has at least %d characters (it has %d).", length, n)
	case n > length:
		c.errors.add("sha256", "Ensure this value has at most %d characters (it has %d).", length, n)
	}
	return sum
}

func (c check) size() int64 {
	sent := c.text("size", true)
	n, err := strconv.ParseInt(sent, 10, 64)
	if sent != "" && err != nil {
		c.errors.add("size", "Enter a whole number.")
	}
	return n
}

// create answers a POST that makes a resource or a new version of one.
func (r *Region) create(region int, f form) *reply {
	a, refused := r.validate(f)
	if refused != nil {
		return refused
	}
	for _, row := range r.rows() {
		if row.sha256 == a.sha256 && row.size != a.size {
			return text(400, "File already exists with sha256 that is of different size.")
		}
	}
	if a.content != nil && r.full(region, a.size) {
		return crash("[Errno 28] No space left on device")
	}
	res := r.uploaded(a.name, a.arch)
	if res == nil {
		res = r.newResource(a.name, a.arch)
	}
	_, res.subarches, _ = strings.Cut(a.arch, "/")
	res.title, res.titled = a.title, true
	if res.base == "" {
		res.base = a.base
	}
	file := r.newFile(res, a.kind, a.sha256, a.size)
	set := &imageSet{version: r.nextVersion(res), label: "uploaded", files: []*imageFile{file}}
	res.sets = append(res.sets, set)
	if err := r.store(region, file, a.content); err != nil {
		return crash(err.Error())
	}
	if !a.keepOld {
		var old []*imageFile
		for _, s := range res.sets {
			if s != set {
				old = append(old, s.files...)
			}
		}
		r.removeFiles(old)
	}
	return object(201, r.render(res, true))
}

// store gives a new file its place: a large object, if it is not there yet,
// and the content that came with the form.
func (r *Region) store(region int, f *imageFile, content []byte) error {
	data, err := newBlob(r.options.Dir)
	if err != nil {
		return err
	}
	if err := data.writeAt(content, 0); err != nil {
		return fmt.Errorf("store image: %w", err)
	}
	if r.behaves.storage() == largeObjects {
		large := r.largeFiles[f.sha256]
		if large == nil || content != nil {
			large = &largeFile{total: f.size, data: data}
			r.largeFiles[f.sha256] = large
		}
		f.large = large
		return nil
	}
	if content != nil {
		if r.disks[region][f.disk] == nil {
			r.disks[region][f.disk] = data
		}
		f.counts[region] = f.size
		r.spread(region, f)
	}
	return nil
}
