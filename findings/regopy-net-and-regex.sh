#!/bin/sh
# regopy 1.5.2, Rego in Python by rego-cpp, and OPA 1.4.2 answer the same queries otherwise, and no error says so:
#   net.cidr_contains, net.cidr_intersects, net.cidr_merge    undefined in regopy, though a function that does
#                                                             not exist at all is an error
#   regex.match with (?i)                                     true in OPA, undefined in regopy
#   regex.match with a look-ahead                             undefined in OPA, whose expressions are RE2's;
#                                                             true in regopy
# A rule on an address range never holds there.
# Needs Go, Python with venv, and the network; OPA takes a minute to build.
set -eu
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"

cat >queries.txt <<'TEXT'
x := net.cidr_contains("10.0.0.0/8", "10.1.2.3")
x := net.cidr_intersects("10.0.0.0/8", "10.1.0.0/16")
x := net.cidr_merge(["10.0.0.0/9", "10.128.0.0/9"])
x := regex.match("^/get$", "/get")
x := regex.match("(?i)GET", "get")
x := regex.match("a(?=b)", "ab")
TEXT

go mod init finding >go.txt 2>&1
go get github.com/open-policy-agent/opa@v1.4.2 >>go.txt 2>&1
cat >main.go <<'GO'
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"github.com/open-policy-agent/opa/v1/rego"
)

func main() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		found, err := rego.New(rego.Query(lines.Text())).Eval(context.Background())
		switch {
		case err != nil:
			fmt.Println("error")
		case len(found) == 0:
			fmt.Println("undefined")
		default:
			fmt.Println(found[0].Bindings["x"])
		}
	}
}
GO
go run . <queries.txt >opa.txt

python3 -m venv venv
venv/bin/python -m pip install -q regopy==1.5.2
cat >ask.py <<'PYTHON'
from regopy import Interpreter

for query in open("queries.txt"):
    answer = str(Interpreter().query(query.strip())).strip()
    print("undefined" if answer == "undefined" else "true" if '"x":true' in answer else answer)
PYTHON
venv/bin/python ask.py >regopy.txt

paste -d '|' queries.txt opa.txt regopy.txt >seen.txt
cat >expected.txt <<'TEXT'
x := net.cidr_contains("10.0.0.0/8", "10.1.2.3")|true|undefined
x := net.cidr_intersects("10.0.0.0/8", "10.1.0.0/16")|true|undefined
x := net.cidr_merge(["10.0.0.0/9", "10.128.0.0/9"])|[10.0.0.0/8]|undefined
x := regex.match("^/get$", "/get")|true|true
x := regex.match("(?i)GET", "get")|true|undefined
x := regex.match("a(?=b)", "ab")|undefined|true
TEXT
cat seen.txt
diff expected.txt seen.txt
