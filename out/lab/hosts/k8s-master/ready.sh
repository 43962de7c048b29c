#!/bin/sh
# Waits until the control plane on this host is well. Changes nothing. Written by kcompile; do not edit.
set -eu

usage() {
    cat <<'END'
usage: ready.sh [--settle SECONDS] [--timeout SECONDS] [--root DIR]

Waits until this host's own API server is ready and its etcd has a quorum, and have been so for a
while without a break: the kubelet may take that long to see that a manifest has changed.

  --settle SECONDS    for how long without a break (60)
  --timeout SECONDS   how long to wait in all (600)
  --root DIR          the certificates stand below DIR instead of /

Run it as root on the host, after install.sh and before the next host has its turn.
END
}

settle=60 timeout=600 root=''
while [ $# -gt 0 ]; do
    case $1 in
        --settle | --timeout)
            case ${2:-} in '' | *[!0-9]*) printf '%s needs a number of seconds\n' "$1" >&2; exit 2 ;; esac
            if [ "$1" = --settle ]; then settle=$2; else timeout=$2; fi
            shift 2
            ;;
        --root)
            case ${2:-} in
                '') printf '%s needs a directory\n' "$1" >&2; exit 2 ;;
                /*) root=${2%/} ;;
                *) root=$PWD/${2%/} ;;
            esac
            shift 2
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

# fail MESSAGE MEND
fail() {
    printf '%s\nmend: %s\n' "$1" "$2" >&2
    exit 1
}
command -v curl >/dev/null 2>&1 || fail 'curl is not on the PATH' 'install it'
cd -- "$root"/etc/kubernetes/pki || fail "the certificates are not there" 'run install.sh first'

# answers URL AUTHORITY CLIENT: whether it answers with 200; if not, $status, and why in $said.
answers() {
    status=000
    if said=$(
        curl --silent --show-error --globoff --noproxy '*' --connect-timeout 3 --max-time 10 --output /dev/null \
            --cacert "$2" --cert "./$3.crt" --key "./$3.key" --write-out '%{http_code}' "$1" 2>&1
    ); then
        status=$said said="HTTP status $said"
    else
        said=$(printf '%s\n' "$said" | sed -n 's/^curl: //p')
    fi
    [ "$status" = 200 ]
}
has_quorum() { answers https://192.168.217.143:2379/health etcd/ca.crt etcd/healthcheck-client; }
is_ready() { answers https://192.168.217.143:6443/readyz ca.crt apiserver-kubelet-client; }
# is_well: if not, what is not in $what.
is_well() {
    what='etcd at https://192.168.217.143:2379'
    has_quorum || return 1
    what='the API server at https://192.168.217.143:6443'
    is_ready
}

began=$(date +%s)
well=''
while :; do
    if is_well; then
        now=$(date +%s)
        well=${well:-$now}
        if [ $((now - well)) -ge "$settle" ]; then break; fi
    else
        well=''
    fi
    if [ $(($(date +%s) - began)) -ge "$timeout" ]; then
        [ -z "$well" ] || fail "the control plane here was not well for $settle seconds on end" 'a longer --timeout'
        fail "$what is not well: $said" 'journalctl -u kubelet, and the logs below /var/log/pods'
    fi
    sleep 2
done
printf 'the control plane here is well\n'
