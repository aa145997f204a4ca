# SPDX-License-Identifier: Apache-2.0
# A share of the machine, by the manager's variables or as said: it is in the request, and --instance is its number.
unset SLURM_LOCALID OMPI_COMM_WORLD_LOCAL_RANK LOCAL_RANK MPI_LOCALRANKID MV2_COMM_WORLD_LOCAL_RANK PALS_LOCAL_RANKID PMI_LOCAL_RANK
plan() { fettle --machine synthetic:8 plan "$@"; }
told() {
	python3 -c '
import json, sys
plan = json.load(sys.stdin)
print({key: plan["request"].get(key) for key in ("slot", "instances", "instance")})
print(*[instance["pus_os"] for instance in plan["instances"]], [note["text"] for note in plan["reasons"] if note["rule"] == "slot"])'
}
plan --slot 1/4 --json | told
LOCAL_RANK=1 LOCAL_WORLD_SIZE=2 OMP_NUM_THREADS=1 plan --slot auto --json | told
SLURM_LOCALID=1 SLURM_NODEID=1 SLURM_TASKS_PER_NODE='4(x2),3' plan --slot auto --json | told
OMPI_COMM_WORLD_LOCAL_RANK=1 OMPI_COMM_WORLD_LOCAL_SIZE=4 OMPI_MCA_orte_bound_at_launch=1 \
	plan --allowed-cpus 2-3 --slot auto --json | told
fettle run --dry-run --machine synthetic:8 --slot 1/2 -- true | grep OMP_NUM_THREADS
for options in '--slot auto' '--slot 2/2' '--slot 1' '--slot 0/2 --instances 2' '--slot 0/2 --instance 1' '--slot 0/9'; do
	code=0
	plan $options || code=$?
	test $code = 2
done
