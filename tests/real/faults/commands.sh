# The words that faults.yaml uses. $CLUSTER is the cluster's name, $REPORT the run's report directory, $FOLDER one to use.
CONTROL=$CLUSTER-control-plane
WORKER=$CLUSTER-worker
NODES="$CONTROL $WORKER"

inside() { docker exec --interactive "$@"; }

kubectl() { inside "$CONTROL" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }

# main_process NODE FILTER…: the process ids of containers, as the node counts them
main_process() {
  node=$1
  shift
  for container in $(inside "$node" crictl ps --quiet "$@" </dev/null); do
    inside "$node" crictl inspect --output go-template --template '{{.info.pid}}' "$container" </dev/null
    echo
  done
}

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
    running=$(inside "$node" crictl ps --quiet --no-trunc </dev/null | sort)
    test "$told" = "$running" || { echo "$node: told of"; echo "$told"; echo "running"; echo "$running"; return 1; }
  done
}
