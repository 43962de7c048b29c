#!/bin/sh
# Gives a new cluster its objects, and brings a running one up to them. Written by kcompile; do not edit.
set -eu
umask 077

usage() {
    cat <<'END'
usage: bootstrap.sh [--kubeconfig FILE] [--context NAME] [--timeout SECONDS] [--endpoint-only] [--all-nodes]

Waits for the API servers, applies the objects beside it in their order, waits for the
nodes of the control plane, labels and taints them, and shows what is up.

  --kubeconfig FILE   an administrator's; without it KUBECONFIG, then what stands in /etc/kubernetes,
                      then kubectl's own
  --context NAME      the kubeconfig's context to use
  --timeout SECONDS   how long to wait in all (600)
  --endpoint-only     wait for the kubeconfig's own endpoint, where the nodes' addresses are out of reach
  --all-nodes         wait for the workers too

Run it once the hosts are installed, in the tree (sealed objects are opened with sops, through
a pipe) or where `kcompile render OUT --cluster` put the objects. It may be run again.
END
}

# How the certificates of the cluster's authorities end in PEM: enough to tell them from others without openssl.
authorities=A8GEev8nTTbsffpAjA70AuwllauD/yM9Qb4rLqUcYk5BfQEQl8NdG7XBOOIaNJfP
context='' timeout=600 direct=yes everyone=no
while [ $# -gt 0 ]; do
    case $1 in
        --kubeconfig | --context | --timeout)
            [ -n "${2:-}" ] || { printf '%s needs a value\n' "$1" >&2; exit 2; }
            case $1,$2 in
                --kubeconfig,*)
                    if [ ! -r "$2" ] || [ -d "$2" ]; then printf '%s cannot be read\n' "$2" >&2; exit 2; fi
                    KUBECONFIG=$2
                    export KUBECONFIG
                    ;;
                --context,*) context=$2 ;;
                *,*[!0-9]*) printf '%s needs a number of seconds\n' "$1" >&2; exit 2 ;;
                *) timeout=$2 ;;
            esac
            shift 2
            ;;
        --endpoint-only) direct=no; shift ;;
        --all-nodes) everyone=yes; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

say() { printf '%s\n' "$1"; }
# fail MESSAGE [MEND]
fail() {
    printf '%s\n' "$1" >&2
    if [ -n "${2:-}" ]; then printf 'mend: %s\n' "$2" >&2; fi
    exit 1
}
newline='
'
began=$(date +%s)
in_time() { [ $(($(date +%s) - began)) -lt "$timeout" ]; }

command -v kubectl >/dev/null 2>&1 || fail 'kubectl is not on the PATH' 'install it, or run this where it is'
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
if [ -z "${KUBECONFIG:-}" ]; then
    for file in /etc/kubernetes/super-admin.conf /etc/kubernetes/admin.conf; do
        if [ -r "$file" ]; then
            KUBECONFIG=$file
            export KUBECONFIG
            break
        fi
    done
fi
if [ -f "${KUBECONFIG:-}" ] && grep -q -F -e 'ENC[' -- "$KUBECONFIG"; then
    fail "$KUBECONFIG is sealed" 'kcompile render OUT --admin --to DIR opens it'
fi
# Nobody is asked for a password, and no request outlives the wait by long.
ask() { kubectl ${context:+--context "$context"} --request-timeout 10s "$@" </dev/null; }

# wait_for_server WHERE MEND [KUBECTL-ARGUMENT ...]
wait_for_server() {
    where=$1 mend=$2
    shift 2
    say "waiting for $where"
    until said=$(ask "$@" get --raw /readyz 2>&1); do
        in_time || fail "$where is not ready: $(printf '%s\n' "$said" | tail -n 1)" "$mend"
        sleep 2
    done
}
# server NODE URL
server() {
    if [ "$direct" = yes ]; then
        wait_for_server "the API server of $1 at $2" \
            "on $1, journalctl -u kubelet and the logs below /var/log/pods; --endpoint-only if $2 is out of reach from here" \
            --server "$2"
    fi
}
# apply PATH: an object file of the tree; a sealed one lies here opened where `kcompile render` put it.
apply() {
    case $1 in
        sealed/*) plain=$here/${1#sealed/} ;;
        *) plain=$here/$1 ;;
    esac
    say "applying $1"
    attempt=1
    while :; do
        if [ -f "$plain" ]; then
            if send <"$plain"; then return 0; fi
        else
            command -v sops >/dev/null 2>&1 || fail "$1 is sealed, and sops is not on the PATH" \
                'install sops, or run this where kcompile render OUT --cluster --to DIR put the objects'
            opened=$(sops decrypt "$here/$1") || fail "$1 cannot be opened" \
                'set SOPS_AGE_KEY_FILE to an identity of one of its recipients'
            if printf '%s\n' "$opened" | send; then return 0; fi
            opened=''
        fi
        { [ "$attempt" -lt 5 ] && in_time; } || fail "$1 is not applied" 'what kubectl says above; then run this again'
        attempt=$((attempt + 1))
        sleep 2
    done
}
send() {
    kubectl ${context:+--context "$context"} --request-timeout 30s \
        apply --server-side --force-conflicts --field-manager kcompile -f -
}
# missing NODE ...: $absent, those that are not registered; all of them where nobody says so, and why in $unheard.
missing() {
    absent='' unheard=''
    if ! present=$(ask get nodes --output name 2>&1); then
        unheard=$(printf '%s\n' "$present" | tail -n 1)
        unheard=${unheard:-kubectl fails} present=''
    fi
    for node in "$@"; do
        case $newline$present$newline in *"${newline}node/$node$newline"*) ;; *) absent="$absent $node" ;; esac
    done
}
# wait_for_nodes NODE ...
wait_for_nodes() {
    say "waiting until $# nodes are registered"
    missing "$@"
    while [ -n "$absent" ]; do
        if ! in_time; then
            [ -z "$unheard" ] || fail "the nodes cannot be listed: $unheard" 'the API server; then run this again'
            fail "not registered:$absent" 'journalctl -u kubelet there'
        fi
        sleep 2
        missing "$@"
    done
}

server k8s-master https://192.168.217.143:6443
wait_for_server 'the endpoint' 'the load balancer or name of the control plane, and the kubeconfig'
[ "$(ask auth can-i '*' '*' --all-namespaces 2>/dev/null)" = yes ] ||
    fail 'these credentials may not do everything' 'use admin.conf: in /etc/kubernetes on k8s-master, or from kcompile render OUT --admin --to DIR'
say 'waiting for the namespaces'
until ask get namespaces kube-system kube-public >/dev/null 2>&1; do
    in_time || fail 'there are no namespaces kube-system and kube-public' 'the logs of kube-apiserver'
    sleep 2
done
if [ "$direct" = no ]; then
    # No node was asked at its own address, and the kubeconfig may be another cluster's. Each publishes its authorities.
    say 'waiting for the authority'
    while :; do
        if published=$(
            ask --namespace kube-system get configmap kube-root-ca.crt --output 'jsonpath={.data.ca\.crt}' 2>&1
        ) && [ -n "$published" ]; then
            joined=$(printf '%s' "$published" | tr -d '\n') known=''
            for end in $authorities; do
                case $joined in *"$end-----END"*) known=yes ;; esac
            done
            [ -z "$known" ] || break
            in_time || fail 'the kubeconfig is for another cluster than lab: its authority is another' \
                'kcompile render OUT --admin --to DIR has the kubeconfigs of this one'
        else
            in_time || fail "ConfigMap kube-root-ca.crt of kube-system is not there: $(printf '%s\n' "$published" | tail -n 1)" \
                'the logs of kube-controller-manager, which writes it'
        fi
        sleep 2
    done
fi
apply 10-kubeadm-config.yaml
apply 11-kubelet-config.yaml
apply 30-bootstrap-rbac.yaml
apply 40-cluster-info.yaml
apply 50-coredns.yaml
apply 60-kube-proxy.yaml
wait_for_nodes k8s-master
"$here/mark-control-plane.sh" ${context:+--context "$context"} --request-timeout 10s </dev/null
if [ "$everyone" = yes ]; then say 'there are no workers in the spec'; fi
ask get nodes --output wide
ask --namespace kube-system get pods --output wide
