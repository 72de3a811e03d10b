package facts

import "strings"

// parseRelease reads os-release(5).
func parseRelease(content string) map[string]string {
	release := map[string]string{}
	for line := range strings.Lines(content) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			release[key] = strings.Trim(value, `"'`)
		}
	}
	return release
}
