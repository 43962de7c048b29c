#!/bin/sh
# Labels and taints the control-plane nodes, as kubeadm's mark-control-plane phase does. Written by kcompile; do not edit.
# Run it with an admin kubeconfig once the nodes have registered; arguments are passed to kubectl.
set -eu

kubectl "$@" label --overwrite node k8s-master node-role.kubernetes.io/control-plane= node.kubernetes.io/exclude-from-external-load-balancers=
