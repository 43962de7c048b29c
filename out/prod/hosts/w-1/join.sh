#!/bin/sh
# Makes this machine a node of the cluster: installs, starts, and waits until it is registered.
# Written by kcompile; do not edit.
set -eu

usage() {
    cat <<'END'
usage: join.sh [--timeout SECONDS] [--from DIR]

Runs the install.sh beside it, sees to it that the kubelet runs, and waits until its
node is registered, asking the API server with the kubelet's own certificate.

  --timeout SECONDS   how long to wait in all (300)
  --from DIR          take the files from DIR, as install.sh does

Run it as root. It may be run again; on a node that is registered it changes nothing.
END
}

node=w-1 endpoint=api.prod.example.com:6443 authority=/etc/kubernetes/pki/ca.crt
kubeconfig=/etc/kubernetes/kubelet.conf config=/var/lib/kubelet/config.yaml certificates=/var/lib/kubelet/pki

timeout=300 left=$#
while [ "$left" -gt 0 ]; do
    case $1 in
        --timeout)
            case ${2:-} in '' | *[!0-9]*) printf '%s needs a number of seconds\n' "$1" >&2; exit 2 ;; esac
            timeout=$2
            shift 2
            left=$((left - 2))
            ;;
        --root | --check | --no-start)
            printf '%s is for install.sh alone: there would be no node to wait for\n' "$1" >&2
            exit 2
            ;;
        -h | --help) usage; exit 0 ;;
        --from)
            [ -n "${2:-}" ] || { printf '%s needs a directory\n' "$1" >&2; exit 2; }
            set -- "$@" "$1" "$2"
            shift 2
            left=$((left - 2))
            ;;
        *) usage >&2; exit 2 ;;
    esac
done

say() { printf '%s\n' "$1"; }
# fail MESSAGE MEND
fail() {
    printf '%s\nmend: %s\n' "$1" "$2" >&2
    exit 1
}
began=$(date +%s)
in_time() { [ $(($(date +%s) - began)) -lt "$timeout" ]; }

command -v curl >/dev/null 2>&1 || fail 'curl is not on the PATH' 'install it'
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
"$here/install.sh" "$@" || fail "install.sh failed with status $?" 'what it says above; then run this again'
systemctl start kubelet.service || fail 'kubelet.service does not start' 'journalctl -u kubelet'

# setting NAME DEFAULT: a value of the kubelet's configuration.
setting() {
    found=$(sed -n "s/^$1: //p" "$config" | tr -d "\"'")
    printf '%s' "${found:-$2}"
}
port=$(setting healthzPort 10248)
case $(setting healthzBindAddress 127.0.0.1) in
    0.0.0.0) address=127.0.0.1 ;;
    :: | ::1) address='[::1]' ;;
    *:*) address="[$(setting healthzBindAddress '')]" ;;
    *) address=$(setting healthzBindAddress 127.0.0.1) ;;
esac
is_healthy() {
    [ "$port" = 0 ] ||
        curl --silent --fail --globoff --noproxy '*' --max-time 5 --output /dev/null "http://$address:$port/healthz"
}
has_credentials() { [ -s "$kubeconfig" ] && [ -s "$certificates/kubelet-client-current.pem" ]; }
# request METHOD [CURL-ARGUMENT ...]: of the API server, about the node.
request() {
    method=$1
    shift
    status=$(
        cd "$certificates" && curl --request "$method" --silent --globoff --noproxy '*' --connect-timeout 3 --max-time 10 \
            --cacert "$authority" --cert ./kubelet-client-current.pem --key ./kubelet-client-current.pem \
            --output /dev/null --write-out '%{http_code}' "$@" "https://$endpoint/api/v1/nodes/$node"
    ) || status=000
    [ "$status" = 200 ]
}
# What an API server's answer about the node means.
meaning() {
    case $status in
        000) printf 'https://%s does not answer with a certificate of the cluster' "$endpoint" ;;
        401) printf 'the API server does not know the certificate of the kubelet' ;;
        403) printf 'the API server refuses the kubelet its own node' ;;
        404) printf 'the API server knows no node %s' "$node" ;;
        *) printf 'the API server answers with status %s' "$status" ;;
    esac
}

say 'waiting until the kubelet is healthy'
until is_healthy; do
    in_time || fail "the kubelet is not healthy at http://$address:$port/healthz" 'journalctl -u kubelet'
    sleep 1
done
say 'waiting until the kubelet has its credentials'
until has_credentials; do
    in_time || fail "the kubelet has not got its credentials from https://$endpoint" 'journalctl -u kubelet; has the token ended, or was cluster/ not applied? kubectl get csr'
    sleep 1
done
say "waiting until node $node is registered"
status=000
until request GET; do
    in_time || fail "node $node is not registered: $(meaning)" 'journalctl -u kubelet; the clocks of both machines'
    sleep 1
done
say "node $node is registered with https://$endpoint"
