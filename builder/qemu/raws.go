package qemu

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/packer-plugin-qemu/builder/qemu"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// split divides the template's options into ours and the QEMU builder's, which
// decodes its own by itself and takes no others.
func split(raws []any) (ours, theirs []any, err error) {
	spec := new(qemu.FlatConfig).HCL2Spec()
	for _, raw := range raws {
		options, err := optionsOf(raw)
		if err != nil {
			return nil, nil, err
		}
		own, other := map[string]any{}, map[string]any{}
		for name, value := range options {
			_, known := spec[name]
			switch {
			case strings.HasPrefix(name, "packer_"):
				own[name], other[name] = value, value
			case name == "firmware" && isKind(value), !known:
				own[name] = value
			default:
				other[name] = value
			}
		}
		ours, theirs = append(ours, own), append(theirs, other)
	}
	return ours, theirs, nil
}

// isKind says whether a value of `firmware` is one of our words for it, or not
// known yet, and not the path that the QEMU builder takes.
func isKind(value any) bool {
	text, ok := value.(string)
	return ok && (isUnknown(text) || firmwareKinds[text])
}

// optionsOf is one of the things that Packer hands over: the template's block,
// or what Packer itself adds.
func optionsOf(raw any) (map[string]any, error) {
	switch raw := raw.(type) {
	case cty.Value:
		text, err := ctyjson.SimpleJSONValue{Value: raw}.MarshalJSON()
		if err != nil {
			return nil, err
		}
		var options map[string]any
		return options, json.Unmarshal(text, &options)
	case map[string]any:
		return maps.Clone(raw), nil
	case map[any]any: // through the RPC that old plugins force on all
		options := map[string]any{}
		for name, value := range raw {
			options[fmt.Sprint(name)] = value
		}
		return options, nil
	}
	return nil, fmt.Errorf("options of the unexpected type %T", raw)
}

// given are the options that have a value.
func given(sources ...[]any) map[string]any {
	options := map[string]any{}
	for _, raw := range slices.Concat(sources...) {
		for name, value := range raw.(map[string]any) {
			if !empty(value) {
				options[name] = value
			}
		}
	}
	return options
}

// has says whether the template has an option.
func (c *Config) has(name string) bool { return c.given[name] != nil }

// empty says whether an option is left out: HCL has all of them, with null or
// nothing inside.
func empty(value any) bool {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	}
	return false
}
