#!/bin/sh
# kubectl prints YAML by sigs.k8s.io/yaml, and Python reads it by PyYAML or ruamel.yaml. Of the strings below,
# which may be values of labels and annotations, sigs.k8s.io/yaml 1.6.0 quotes one and prints the others
# plain, as it reads them back as strings itself. The two others do not:
#   `=` and `<<`            both libraries refuse the document
#   0x1FFFFFFFFFFFFFFFFF    both read a number, as it is too large for Go only
#   12e4567                 a short commit hash; PyYAML reads a string, ruamel.yaml infinity
# 1234e5 is quoted: it fits in a float of Go.
# Needs Go, Python with venv, and the network.
set -eu
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"

go mod init finding >go.txt 2>&1
go get sigs.k8s.io/yaml@v1.6.0 >>go.txt 2>&1
cat >main.go <<'GO'
package main

import (
	"fmt"

	"sigs.k8s.io/yaml"
)

func main() {
	for _, text := range []string{"=", "<<", "0x1FFFFFFFFFFFFFFFFF", "12e4567", "1234e5"} {
		written, err := yaml.Marshal(map[string]string{"value": text})
		var read map[string]any
		if err == nil {
			err = yaml.Unmarshal(written, &read)
		}
		if err != nil || read["value"] != text {
			panic(fmt.Sprint(text, " is read back otherwise: ", read, err))
		}
		fmt.Print(string(written))
	}
}
GO
go run . >printed.txt

python3 -m venv venv
venv/bin/python -m pip install -q PyYAML==6.0.2 ruamel.yaml==0.18.10
cat >read.py <<'PYTHON'
import yaml
from ruamel.yaml import YAML

readers = {"PyYAML": (yaml.safe_load, yaml.YAMLError), "ruamel.yaml": (YAML(typ="safe", pure=True).load, Exception)}
for line in open("printed.txt"):
    for name, (read, refusal) in readers.items():
        try:
            value = read(line)["value"]
            print(line.strip(), "|", name, "|", type(value).__name__, value)
        except refusal as error:
            print(line.strip(), "|", name, "|", type(error).__name__)
PYTHON
venv/bin/python read.py >seen.txt

cat >expected.txt <<'TEXT'
value: = | PyYAML | ConstructorError
value: = | ruamel.yaml | ConstructorError
value: << | PyYAML | ConstructorError
value: << | ruamel.yaml | ConstructorError
value: 0x1FFFFFFFFFFFFFFFFF | PyYAML | int 590295810358705651711
value: 0x1FFFFFFFFFFFFFFFFF | ruamel.yaml | int 590295810358705651711
value: 12e4567 | PyYAML | str 12e4567
value: 12e4567 | ruamel.yaml | float inf
value: "1234e5" | PyYAML | str 1234e5
value: "1234e5" | ruamel.yaml | str 1234e5
TEXT
cat seen.txt
diff expected.txt seen.txt
