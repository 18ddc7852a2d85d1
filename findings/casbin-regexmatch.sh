#!/bin/sh
# One model and one policy of Casbin, `regexMatch(r.path, p.path)`, decide otherwise in Python and in Go:
# casbin 2.105.0 (Go) looks for the pattern anywhere in the path, pycasbin 1.43.0 at its beginning only.
# Both read the same files, and only patterns that begin with `^` or `.*` mean the same in both.
# Needs Go, Python with venv, and the network.
set -eu
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"

cat >model.conf <<'TEXT'
[request_definition]
r = account, path
[policy_definition]
p = account, path
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.account == p.account && regexMatch(r.path, p.path)
TEXT
echo 'p, curl, /get' >policy.csv
printf '%s\n' /get /getter /v1/get /post >paths.txt

go mod init finding >go.txt 2>&1
go get github.com/casbin/casbin/v2@v2.105.0 >>go.txt 2>&1
cat >main.go <<'GO'
package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/casbin/casbin/v2"
)

func main() {
	enforcer, err := casbin.NewEnforcer("model.conf", "policy.csv")
	if err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		allowed, err := enforcer.Enforce("curl", lines.Text())
		if err != nil {
			panic(err)
		}
		fmt.Println(allowed)
	}
}
GO
go mod tidy >>go.txt 2>&1
go run . <paths.txt >go-casbin.txt

python3 -m venv venv
venv/bin/python -m pip install -q casbin==1.43.0
cat >ask.py <<'PYTHON'
import casbin

enforcer = casbin.Enforcer("model.conf", "policy.csv")
for path in open("paths.txt"):
    print(str(enforcer.enforce("curl", path.strip())).lower())
PYTHON
venv/bin/python ask.py >pycasbin.txt

paste -d '|' paths.txt go-casbin.txt pycasbin.txt >seen.txt
cat >expected.txt <<'TEXT'
/get|true|true
/getter|true|true
/v1/get|true|false
/post|false|false
TEXT
cat seen.txt
diff expected.txt seen.txt
