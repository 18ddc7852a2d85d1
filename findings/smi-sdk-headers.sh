#!/bin/sh
# Go writes the keys of a map in their order, so that the same object is the same JSON each time. An HTTPRouteGroup
# of smi-sdk-go 0.5.0 is not: `headers` are a list of maps in the document and one map in Go, and the list is
# written in the order of Go's map, another one at each call. Four headers come out in up to 24 ways. A program
# that compares, hashes or signs what it writes sees changes where there are none, and a merge patch from an
# object to itself is not empty.
# Needs Go and the network.
set -eu
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"

go mod init finding >go.txt 2>&1
go get github.com/servicemeshinterface/smi-sdk-go@v0.5.0 github.com/evanphx/json-patch@v5.6.0+incompatible >>go.txt 2>&1
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch"
	specs "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha4"
)

func main() {
	text := `{"matches":[{"name":"canary","headers":[{"x-a":"1"},{"x-b":"2"},{"x-c":"3"},{"x-d":"4"}]}]}`
	var spec specs.HTTPRouteGroupSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		panic(err)
	}
	plain := map[string]string{"x-a": "1", "x-b": "2", "x-c": "3", "x-d": "4"}

	maps, specs, patches := map[string]bool{}, map[string]bool{}, 0
	before, _ := json.Marshal(spec)
	for range 1000 {
		asMap, _ := json.Marshal(plain)
		asSpec, _ := json.Marshal(spec)
		maps[string(asMap)], specs[string(asSpec)] = true, true
		patch, err := jsonpatch.CreateMergePatch(before, asSpec)
		if err != nil {
			panic(err)
		}
		if string(patch) != "{}" {
			patches++
		}
	}
	fmt.Println("a map of Go, written 1,000 times, is one text:", len(maps) == 1)
	fmt.Println("the route group, written 1,000 times, is one text:", len(specs) == 1)
	fmt.Println("merge patches of the route group to itself are all empty:", patches == 0)
}
GO
go mod tidy >>go.txt 2>&1
go run . >seen.txt

cat >expected.txt <<'TEXT'
a map of Go, written 1,000 times, is one text: true
the route group, written 1,000 times, is one text: false
merge patches of the route group to itself are all empty: false
TEXT
cat seen.txt
diff expected.txt seen.txt
