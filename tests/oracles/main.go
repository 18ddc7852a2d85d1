// Answers, one JSON object a line, what kubectl, Helm and the API server make of texts.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"helm.sh/helm/v3/pkg/strvals"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

type question struct {
	Read  *string         `json:"read"`
	Print json.RawMessage `json:"print"`
	Set   *string         `json:"set"`
	On    json.RawMessage `json:"on"`
	Merge json.RawMessage `json:"merge"`
}

type answer struct {
	Documents []json.RawMessage `json:"documents,omitempty"`
	Text      *string           `json:"text,omitempty"`
	Error     string            `json:"error,omitempty"`
}

// The documents of a file, as kubectl reads them one after another.
func read(text string) (found answer) {
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), 4096)
	for {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			found.Error = err.Error()
			return found
		}
		raw = bytes.TrimSpace(raw)
		if len(raw) > 0 && !bytes.Equal(raw, []byte("null")) {
			var compact bytes.Buffer
			if err := json.Compact(&compact, raw); err != nil {
				found.Error = err.Error()
				return found
			}
			found.Documents = append(found.Documents, compact.Bytes())
		}
	}
}

func one(document []byte, err error) (found answer) {
	if err != nil {
		found.Error = err.Error()
		return found
	}
	found.Documents = []json.RawMessage{document}
	return found
}

func set(values []byte, text string) answer {
	tree := map[string]interface{}{}
	if err := json.Unmarshal(values, &tree); err != nil {
		return one(nil, err)
	}
	if err := strvals.ParseInto(text, tree); err != nil {
		return one(nil, err)
	}
	return one(json.Marshal(tree))
}

func ask(line []byte) (found answer) {
	defer func() {
		if reason := recover(); reason != nil {
			found = answer{Error: fmt.Sprint("panic: ", reason)}
		}
	}()
	var it question
	if err := json.Unmarshal(line, &it); err != nil {
		return one(nil, err)
	}
	switch {
	case it.Read != nil:
		return read(*it.Read)
	case it.Print != nil:
		printed, err := yaml.JSONToYAML(it.Print)
		if err != nil {
			return one(nil, err)
		}
		text := string(printed)
		return answer{Text: &text}
	case it.Set != nil:
		return set(it.On, *it.Set)
	default:
		return one(jsonpatch.MergePatch(it.On, it.Merge))
	}
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			if err := encoder.Encode(ask(line)); err != nil {
				panic(err)
			}
			out.Flush()
		}
		if err != nil {
			return
		}
	}
}
