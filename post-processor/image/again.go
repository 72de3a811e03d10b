package image

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/packer-maas/packer-plugin-maas/internal/image"
)

// againEnding makes the template's name out of the image's.
const againEnding = ".upload/upload.pkr.hcl"

// again writes a template beside an image that was not uploaded, and returns
// the command that sends the image with it, from any folder. The API key is
// not in it. It is in a folder of its own: the image may be in that of the
// template that made it, and `packer build .` takes all templates of a folder.
// The image was checked, so it is not looked into again, unless it is one that
// fails checks, which are to be ignored then.
func (u *Upload) again(path, filetype string, ignore []string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	template := path + againEnding
	if err := os.MkdirAll(filepath.Dir(template), 0o755); err != nil {
		return "", err
	}
	if err := image.WriteBeside(template, u.template(path, filetype, ignore)); err != nil {
		return "", err
	}
	return "packer build " + shellQuote(filepath.Dir(template)), nil
}

// template is a template that only uploads an image.
func (u *Upload) template(image, filetype string, ignore []string) []byte {
	file := hclwrite.NewEmptyFile()
	file.Body().AppendUnstructuredTokens(hclwrite.TokensForIdentifier("# Sends an image that is ready to MAAS. The key is in MAAS_API_KEY.\n"))
	plugin := file.Body().AppendNewBlock("packer", nil).Body().AppendNewBlock("required_plugins", nil).Body()
	plugin.SetAttributeValue("maas", cty.ObjectVal(map[string]cty.Value{
		"source": cty.StringVal("github.com/packer-maas/maas"), "version": cty.StringVal(">= 0.1.0"),
	}))
	file.Body().AppendNewBlock("source", []string{"null", "image"}).Body().SetAttributeValue("communicator", cty.StringVal("none"))

	build := file.Body().AppendNewBlock("build", nil).Body()
	build.SetAttributeValue("sources", cty.ListVal([]cty.Value{cty.StringVal("source.null.image")}))
	block := build.AppendNewBlock("post-processor", []string{"maas-image"}).Body()
	block.SetAttributeValue("image", cty.StringVal(image))
	block.SetAttributeValue("filetype", cty.StringVal(filetype))
	if len(ignore) > 0 {
		block.SetAttributeValue("ignore_checks", stringList(ignore))
	} else {
		block.SetAttributeValue("checks", cty.StringVal(checksOff))
	}
	upload := block.AppendNewBlock("upload", nil).Body()
	for _, option := range []struct{ name, value string }{
		{"url", u.URL},
		{"ca_file", absolute(u.CAFile)},
		{"name", u.Name},
		{"title", u.Title},
		{"architecture", u.Architecture},
		{"base_image", u.BaseImage},
		{"patience", duration(u.Patience)},
		{"wait_timeout", duration(u.WaitTimeout)},
	} {
		if option.value != "" {
			upload.SetAttributeValue(option.name, cty.StringVal(option.value))
		}
	}
	if u.ChunkSize > 0 {
		upload.SetAttributeValue("chunk_size", cty.NumberIntVal(int64(u.ChunkSize)))
	}
	if u.NoWait {
		upload.SetAttributeValue("no_wait", cty.True)
	}
	if u.InsecureSkipTLSVerify {
		upload.SetAttributeValue("insecure_skip_tls_verify", cty.True)
	}
	return hclwrite.Format(file.Bytes())
}

// duration is an option's text; "" for one that was not given.
func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// absolute is a path as it is found from any folder.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil && path != "" {
		return full
	}
	return path
}

// shellQuote quotes a word for a shell, if it needs that.
func shellQuote(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@") == "" {
		return word
	}
	return fmt.Sprintf("'%s'", strings.ReplaceAll(word, "'", `'\''`))
}

func stringList(words []string) cty.Value {
	var values []cty.Value
	for _, word := range words {
		values = append(values, cty.StringVal(word))
	}
	return cty.ListVal(values)
}
