package region

import (
	"fmt"
	"slices"
	"strings"
)

var baseRules = []rule{
	{
		"base-image", Error, checkBase,
		"a base image is <system>/<release>, of a Linux that MAAS itself can tell how to configure",
	}, {
		"base-image-series", Error, checkBaseSeries,
		"MAAS asks distro-info for the code name, which knows no numbers",
	}, {
		"base-image-missing", Warning, func(s subject) string {
			if s.system != custom || s.BaseImage != "" || s.Name == "" || !known(s.Name) {
				return ""
			}
			return fmt.Sprintf("base_image is empty: MAAS takes the one of an earlier upload of %q, else its commissioning release of Ubuntu; say which system this one is like, such as \"ubuntu/jammy\" or \"rhel/9\"", s.Name)
		},
		"MAAS 3.2 to 3.8 also answers 500 to any mistake in name or architecture while the base image is empty",
	}, {
		"base-image-ignored", Warning, func(s subject) string {
			if s.system == custom || s.BaseImage == "" || !known(s.Name) || strings.Count(s.Name, "/") > 1 {
				return ""
			}
			return fmt.Sprintf("base_image = %q has no effect for %q; leave it out", s.BaseImage, s.Name)
		},
		"MAAS knows how to deploy the systems it has a name for, and drops the base image of their images",
	},
}

func checkBase(s subject) string {
	if s.system != custom || s.BaseImage == "" || !known(s.BaseImage) || !known(s.Name) {
		return ""
	}
	system, series, _ := strings.Cut(s.BaseImage, "/")
	if strings.Count(s.BaseImage, "/") != 1 || system == "" || series == "" {
		return fmt.Sprintf("base_image = %q must be a system, a slash and a release, such as \"ubuntu/jammy\" or \"rhel/9\"", s.BaseImage)
	}
	if slices.Contains(BaseSystems(s.version), system) {
		return ""
	}
	hint := map[string]string{
		"debian":    "; a Debian image with netplan.io takes the Ubuntu release of its age, such as \"ubuntu/jammy\"",
		"ol":        "; Oracle Linux can be one from MAAS 3.5 on, until then take \"rhel/9\"",
		"rocky":     "; take \"rhel/9\"",
		"almalinux": "; take \"rhel/9\"",
		"fedora":    "; take \"rhel/9\"",
	}[system]
	return fmt.Sprintf("base_image = %q: MAAS takes %s%s", s.BaseImage, strings.Join(BaseSystems(s.version), ", "), hint)
}

func checkBaseSeries(s subject) string {
	system, series, _ := strings.Cut(s.BaseImage, "/")
	if s.system != custom || system != "ubuntu" || series == "" || strings.Contains(series, "/") || !known(s.BaseImage) || !known(s.Name) {
		return ""
	}
	for code, number := range codenames {
		if series == number {
			return fmt.Sprintf("base_image = %q: use the code name, \"ubuntu/%s\"", s.BaseImage, code)
		}
	}
	if strings.ContainsFunc(series, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return fmt.Sprintf("base_image = %q: %q is no code name of an Ubuntu release; it looks like \"ubuntu/jammy\"", s.BaseImage, series)
	}
	return ""
}
