package config

import (
	"encoding/json"
	"reflect"
	"time"
)

// ChartSchema gives values.schema.json of the Helm chart: each variable is one
// of the chart's config, or of its secrets, and no other name is.
func ChartSchema() ([]byte, error) {
	plain, secret, names := map[string]any{}, map[string]any{}, []string{}
	for _, f := range fields() {
		if f.secret {
			secret[f.name] = map[string]any{"type": "string", "description": f.doc}
			names = append(names, f.name)
			continue
		}
		plain[f.name] = f.schema()
	}
	return json.MarshalIndent(map[string]any{
		"$schema": "http://json-schema.org/draft-07/schema#",
		"type":    "object",
		"properties": map[string]any{
			"config":  closed(plain),
			"secrets": closed(secret),
			"existingSecretKeys": map[string]any{
				"type": "array", "minItems": 1, "uniqueItems": true, "items": map[string]any{"enum": names},
				"contains": map[string]any{"const": "SINKD_DATABASE_URL"},
			},
		},
	}, "", "  ")
}

// closed is an object that has no other properties.
func closed(properties map[string]any) map[string]any {
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
}

// schema is what the chart may hold for a variable. YAML reads on, off, yes and
// no as booleans, and numbers as numbers: the chart turns them back into text.
func (f *field) schema() map[string]any {
	types := []any{map[string]any{"type": "string"}}
	if served := f.served(); len(served) > 0 {
		if f.off {
			served = append(served, "off")
		}
		// Empty means the default, as in the environment.
		types = []any{map[string]any{"enum": append([]string{""}, served...)}}
	}
	if f.kind.Kind() == reflect.Int || f.kind == reflect.TypeFor[Size]() {
		types = append(types, map[string]any{"type": "integer"})
	}
	switch {
	case f.off && f.kind.Kind() != reflect.Bool && len(f.later) == 0:
		types = append(types, map[string]any{"const": false})
	case f.kind.Kind() == reflect.Bool, f.name == "SINKD_DELETES":
		types = append(types, map[string]any{"type": "boolean"})
	}
	s := map[string]any{"description": f.doc, "anyOf": append(types, map[string]any{"type": "null"})}
	if f.kind == reflect.TypeFor[time.Duration]() {
		s["description"] = f.doc + "; a duration, as 30s"
	}
	return s
}
