# SPDX-License-Identifier: Apache-2.0
# --openmp, --wait, --schedule: the plan for another machine, and what is refused.
spec='synthetic:pack:1 numa:1 core:4 pu:1'
plan() {
	fettle --machine "$spec" plan --pin threads "$@" -- sh
}
plan --openmp llvm --wait active --cpu-quota 2.5 --schedule static --json >made
sed -n 's/.*"\(openmp\|wait\|schedule\)": "\(.*\)".*/\1 \2/p' made
sed -n 's/.*"\(OMP_[A-Z_]*\|KMP_[A-Z_]*\|GOMP_[A-Z_]*\)": "\(.*\)".*/\1 \2/p' made | sort -u
sed -n 's/.*"id": "\(openmp-.*\|wait-.*\)".*/\1/p' made
plan --openmp intel --why KMP_BLOCKTIME
KMP_BLOCKTIME=5 plan --openmp gnu --json | grep -c setting-ineffective
for words in '--openmp intel --no openmp' '--wait passive --no openmp' '--schedule static --no openmp' '--openmp icc'; do
	fettle run $words -- true && echo "not refused" || echo $?
done
