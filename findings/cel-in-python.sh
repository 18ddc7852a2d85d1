#!/bin/sh
# A rule of a ValidatingAdmissionPolicy that was tried in Python answers otherwise in the cluster. An API server runs
# cel-go, here 0.26.1; cel-python 0.5.0 and common-expression-language 0.10.0 (Rust) are evaluators on PyPI. All
# three read the rules below, which use nothing but the standard's own functions and macros:
#   string(true)                    "true" in Go, "True" in cel-python, no such function in Rust
#   exists() with a quotient        true in Go and cel-python, as one true element is enough whatever fails before
#                                   it; an error in Rust
#   map() with a condition          an error in cel-python, and not one of its own kind
#   an integer and a double, ==     compared in Go and Rust, an error in cel-python
# Needs Go, Python with venv, and the network.
set -eu
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"

cat >rules.txt <<'TEXT'
string(object.enableEgress) == "true"
string(object.enableEgress) != "true"
object.weights.exists(w, 100 / w == 2)
object.hosts.map(h, h.startsWith("a"), h + ":80") == ["a.test:80"]
object.weights[1] == 50.0
TEXT
echo '{"enableEgress": true, "weights": [0, 50], "hosts": ["a.test", "b.test"]}' >object.json

go mod init finding >go.txt 2>&1
go get github.com/google/cel-go@v0.26.1 >>go.txt 2>&1
cat >main.go <<'GO'
package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/google/cel-go/cel"
)

func main() {
	object := map[string]any{
		"enableEgress": true, "weights": []int{0, 50}, "hosts": []string{"a.test", "b.test"},
	}
	env, err := cel.NewEnv(cel.Variable("object", cel.DynType), cel.CrossTypeNumericComparisons(true))
	if err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		ast, issues := env.Compile(lines.Text())
		if issues.Err() != nil {
			panic(issues.Err())
		}
		program, err := env.Program(ast)
		if err != nil {
			panic(err)
		}
		if value, _, err := program.Eval(map[string]any{"object": object}); err != nil {
			fmt.Println("error")
		} else {
			fmt.Println(value)
		}
	}
}
GO
go mod tidy >>go.txt 2>&1
go run . <rules.txt >go-cel.txt

python3 -m venv venv
venv/bin/python -m pip install -q cel-python==0.5.0 common-expression-language==0.10.0
cat >ask.py <<'PYTHON'
import json
import sys

import cel
import celpy

text = open("object.json").read()


def by_celpy(rule):
    env = celpy.Environment()
    found = env.program(env.compile(rule)).evaluate({"object": celpy.json_to_cel(json.loads(text))})
    return str(bool(found)).lower()


def by_rust(rule):
    return str(cel.evaluate(rule, {"object": json.loads(text)})).lower()


for line in open("rules.txt"):
    try:
        print({"celpy": by_celpy, "rust": by_rust}[sys.argv[1]](line.strip()))
    except Exception as error:
        print(f"error: {type(error).__name__}")
PYTHON
venv/bin/python ask.py celpy >celpy.txt
venv/bin/python ask.py rust >rust.txt

paste -d '|' rules.txt go-cel.txt celpy.txt rust.txt >seen.txt
cat >expected.txt <<'TEXT'
string(object.enableEgress) == "true"|true|false|error: RuntimeError
string(object.enableEgress) != "true"|false|true|error: RuntimeError
object.weights.exists(w, 100 / w == 2)|true|true|error: ZeroDivisionError
object.hosts.map(h, h.startsWith("a"), h + ":80") == ["a.test:80"]|true|error: ValueError|true
object.weights[1] == 50.0|true|error: CELEvalError|true
TEXT
cat seen.txt
diff expected.txt seen.txt
