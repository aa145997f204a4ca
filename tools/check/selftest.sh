#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Does each check refuse what it is there to refuse? Each runs on a small tree that is right, and on
# the same tree with one thing wrong. Prints TAP. Usage: selftest.sh <check>...
set -u
wanted=" ${*:?"usage: selftest.sh <check>..."} "
here=$(cd "$(dirname "$0")" && pwd)
number=0 failures=0
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT

# A tree in which nothing is wrong, and a build of it.
fresh_tree()
{
	tree=$(mktemp -d "$top/XXXXXX") build=$tree/build
	mkdir -p "$tree"/{src/{base,plan,joint,cli},agent,include,tools,build/src/{libfettle-core.a.p,joint/libfettle-joint.a.p}}
	cp -r "$here" "$tree/tools/check"
	cp "$here"/../../.clang-format "$here"/../../.clang-tidy "$tree"
	put src/base/err.h <<<'#pragma once'
	put src/base/record.h <<<'#pragma once'
	put src/plan/plan.h <<<$'#pragma once\nint plan_twice(int n);'
	put src/plan/plan.c <<<$'#include "plan/plan.h"\n\nint plan_twice(int n)\n{\n\treturn 2 * n;\n}'
	put src/joint/ask.c <<<$'int ask(int n);\nint ask(int n)\n{\n\treturn n;\n}'
	put src/cli/main.c <<<$'#include "plan/plan.h"\n\nint main(void)\n{\n\treturn plan_twice(0);\n}'
	put agent/agent.c <<<$'#include "base/record.h"\n\n#include <stddef.h>'
}

put()
{
	{
		echo '/* SPDX-License-Identifier: Apache-2.0 */'
		cat
	} >"$tree/$1"
}

compile()
{
	local file
	for file in plan/plan joint/ask cli/main; do
		cc -I"$tree/src" -c "$tree/src/$file.c" -o "$build/src/libfettle-core.a.p/${file/\//_}.c.o" || return
		printf '{ "directory": "%s",\n  "file": "%s",\n  "command": "cc -I%s/src -c %s" },\n' \
			"$build" "$tree/src/$file.c" "$tree" "$tree/src/$file.c"
	done >"$build/commands"
	mv "$build/src/libfettle-core.a.p/cli_main.c.o" "$build"
	mv "$build/src/libfettle-core.a.p/joint_ask.c.o" "$build/src/joint/libfettle-joint.a.p/ask.c.o"
	{
		echo '['
		sed '$ s/,$//' "$build/commands"
		echo ']'
	} >"$build/compile_commands.json"
}

# verdict CODE CHECK NAME: 0 passes, 1 refuses
verdict()
{
	local right=$1 check=$2 name=$3 argument=$tree output code=0
	[[ $wanted == *" $check "* ]] || return
	((number++))
	case $check in
	purity | tidy | cppcheck) compile && argument=$build ;;
	esac
	output=$("$tree/tools/check/$check.sh" "$argument" 2>&1) || code=$?
	if ((code == 77)); then
		echo "ok $number - $check: $name # SKIP $output"
	elif ((code == right)); then
		echo "ok $number - $check: $name"
	else
		echo "not ok $number - $check: $name"
		printf '%s\n' "exit $code" "$output" | sed 's/^/# /'
		((failures++))
	fi
}

for check in layers purity format sizes tidy cppcheck; do
	fresh_tree
	verdict 0 $check "a clean tree passes"
done

fresh_tree
put src/base/err.h <<<$'#pragma once\n#include "plan/plan.h"'
verdict 1 layers "a room that includes a lower one"
fresh_tree
put src/base/err.h <<<$'#pragma once\n#include <plan/plan.h>'
verdict 1 layers "the same between angle brackets"
fresh_tree
put agent/agent.c <<<$'#include "base/err.h"'
verdict 1 layers "an agent that includes more than the record"
fresh_tree
put src/api.c <<<$'#include "cli/main.h"'
verdict 1 layers "an API that includes the command line"
fresh_tree
put src/base/err.h <<<$'#pragma once\n#include "err.h"'
verdict 1 layers "a header named without its room"

fresh_tree
put src/plan/plan.c <<<$'#include <stdlib.h>\nint plan_twice(int n);\nint plan_twice(int n)\n{\n\treturn getenv("X") ? n : 2 * n;\n}'
verdict 1 purity "a plan that reads the environment"
fresh_tree
put src/plan/plan.c <<<$'#include <stdio.h>\nint plan_twice(int n);\nint plan_twice(int n)\n{\n\tprintf("%d", n);\n\treturn n;\n}'
verdict 1 purity "a plan that prints"
fresh_tree
put src/joint/ask.c <<<$'#include <stdio.h>\nint ask(int n);\nint ask(int n)\n{\n\tprintf("%d", n);\n\treturn n;\n}'
verdict 1 purity "options that print where they are read"
fresh_tree
put src/joint/ask.c <<<$'int ask(int n);\nint ask(int n)\n{\n\t__builtin_cpu_init();\n\treturn n;\n}'
[ "$(uname -m)" != x86_64 ] || verdict 1 purity "a processor that is asked at every start"
fresh_tree
put src/plan/plan.c <<<$'#include <time.h>\nint plan_twice(int n);\nint plan_twice(int n)\n{\n\treturn n * (int)time(NULL);\n}'
verdict 1 purity "a plan that looks at the clock"

fresh_tree
put src/plan/plan.c <<<$'int plan_twice( int n ) { return 2*n; }'
verdict 1 format "a file in another style"
fresh_tree
put src/plan/plan.c < <(yes 'int plan_twice(int n);' | head -600)
verdict 1 sizes "a file of 601 lines"
fresh_tree
put src/plan/plan.h < <(yes 'int plan_twice(int n);' | head -150)
verdict 1 sizes "a header of 151 lines"
fresh_tree
sed -i 1d "$tree/src/plan/plan.c"
verdict 1 sizes "a file without a licence"

fresh_tree
put src/plan/plan.c <<<$'int plan_twice(int n);\nint plan_twice(int n)\n{\n\tint *p = 0;\n\tif (n)\n\t\t*p = n;\n\treturn n;\n}'
verdict 1 tidy "a null pointer written to"
verdict 1 cppcheck "a null pointer written to"

echo "1..$number"
((failures == 0))
