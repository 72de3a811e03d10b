package image

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/hashicorp/packer-plugin-sdk/template/interpolate"

	"github.com/packer-maas/packer-plugin-maas/internal/region"
)

// release is what the image's own os-release(5) says, for templates in the
// options of an upload.
type release struct {
	ID, VersionID, VersionCodename string
}

// templates are the parts of an option that only the image can tell.
var templates = regexp.MustCompile(`\{\{.*?\}\}`)

func isTemplate(value string) bool { return templates.MatchString(value) }

// before is a templated option as far as it is known before the image is.
func before(value string) string { return templates.ReplaceAllString(value, region.Unknown) }

// checkTemplates says what is wrong with the templates of the options.
func (u *Upload) checkTemplates() error {
	var errs []error
	for option, value := range map[string]string{"name": u.Name, "title": u.Title} {
		if _, err := render(value, release{"id", "1", "codename"}); err != nil {
			errs = append(errs, fmt.Errorf("upload: %s: %w", option, err))
		}
	}
	return errors.Join(errs...)
}

// fill gives the templates of the options their values, those of os-release.
func (u *Upload) fill(osRelease map[string]string) error {
	from := release{osRelease["ID"], osRelease["VERSION_ID"], osRelease["VERSION_CODENAME"]}
	for option, value := range map[string]*string{"name": &u.Name, "title": &u.Title} {
		text, err := render(*value, from)
		if err != nil {
			return fmt.Errorf("upload: %s = %q: %w", option, *value, err)
		}
		*value = text
	}
	return nil
}

func render(value string, from release) (string, error) {
	if !isTemplate(value) {
		return value, nil
	}
	for name, field := range map[string]string{
		".ID": from.ID, ".VersionID": from.VersionID, ".VersionCodename": from.VersionCodename,
	} {
		if field == "" && regexp.MustCompile(`\{\{[^}]*\`+name+`\b`).MatchString(value) {
			return "", fmt.Errorf("the image's os-release does not have what {{ %s }} stands for", name)
		}
	}
	text, err := interpolate.Render(value, &interpolate.Context{Data: from})
	if err != nil {
		return "", fmt.Errorf("a template knows {{ .ID }}, {{ .VersionID }} and {{ .VersionCodename }}: %w", err)
	}
	return text, nil
}
