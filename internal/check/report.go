package check

import "encoding/json"

// Report is what is kept of the checks of an image, for programs.
type Report struct {
	Image    string   `json:"image"` // the file's name
	SHA256   string   `json:"sha256"`
	Size     int64    `json:"size"`
	Filetype string   `json:"filetype"`
	System   string   `json:"system"`
	Errors   int      `json:"errors"`
	Warnings int      `json:"warnings"`
	Results  []Result `json:"results"`
	// Notes are what could not be looked at.
	Notes []string `json:"notes,omitempty"`
}

// JSON is the report's form on the disk.
func (r Report) JSON() ([]byte, error) {
	r.Errors, r.Warnings = len(Failures(r.Results, Error)), len(Failures(r.Results, Warning))
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}
