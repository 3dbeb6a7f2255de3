# The words that faults.yaml uses. $CLUSTER is the cluster's name, $REPORT the run's report directory, $FOLDER one to use.
CONTROL=$CLUSTER-control-plane
WORKER=$CLUSTER-worker
NODES="$CONTROL $WORKER"

inside() { docker exec --interactive "$@"; }

kubectl() { inside "$CONTROL" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }

# containers NODE [container|pod NAME]: the containers that run, sandboxes aside, each with the process id that the node
# counts it by
containers() {
  tasks=$(inside "$1" ctr -n k8s.io tasks ls </dev/null 2>/dev/null)
  wanted="labels.\"io.cri-containerd.kind\"==container${2:+,labels.\"io.kubernetes.$2.name\"==$3}"
  ids=$(inside "$1" ctr -n k8s.io containers ls --quiet "$wanted" </dev/null 2>/dev/null)
  echo "$tasks" | awk -v ids="$ids" '$3 == "RUNNING" && index(ids, $1) {print $1, $2}'
}

main_process() { containers "$@" | cut -d ' ' -f 2; }

# whole: nodes are ready, workloads complete, and the containers that run are those that the API server tells of
whole() {
  kubectl get --raw /readyz >/dev/null </dev/null || return 1
  kubectl wait --for=condition=Ready nodes --all --timeout=1s </dev/null || return 1
  for workload in daemonset/calico-node daemonset/kube-proxy deployment/calico-kube-controllers deployment/coredns; do
    kubectl rollout status -n kube-system "$workload" --timeout=1s </dev/null || return 1
  done
  for node in $NODES; do
    told=$(kubectl get pods --all-namespaces --field-selector "spec.nodeName=$node" \
      -o 'jsonpath={range .items[*]}{.status.containerStatuses[*].containerID}{"\n"}{end}' </dev/null |
      tr ' ' '\n' | sed 's|.*//||; /^$/d' | sort)
    running=$(containers "$node" | cut -d ' ' -f 1 | sort)
    test "$told" = "$running" || { echo "$node: told of"; echo "$told"; echo "running"; echo "$running"; return 1; }
  done
}
