#!/bin/sh
# Says whether this machine is ready for the files of its host. Changes nothing. Written by kcompile; do not edit.
set -u
PATH=$PATH:/usr/sbin:/sbin

usage() {
    cat <<'END'
usage: preflight.sh [--format text|json]

Looks at this machine with the eyes of kubeadm: every failure and every warning in one run, each with
its mend. Exit status: 0 no failure, 1 failures, 2 a wrong command line. On a host that
runs already, what its own kubelet and pods hold is no failure.
END
}

format=text
while [ $# -gt 0 ]; do
    case $1 in
        --format)
            case ${2:-} in
                text | json) format=$2 ;;
                *) usage >&2; exit 2 ;;
            esac
            shift 2
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
failures=0 warnings=0 separator=''
# Text of this machine as printable ASCII.
clean() { printf '%s' "$1" | LC_ALL=C tr -c ' -~' '?'; }
json() { printf '"%s"' "$(clean "$1" | sed 's/[\\"]/\\&/g')"; }
# result STATUS CHECK MESSAGE [MEND]
result() {
    if [ "$format" = json ]; then
        printf '%s\n  {"check": "%s", "status": "%s", "message": %s' "$separator" "$2" "$1" "$(json "$3")"
        if [ "$1" != ok ]; then printf ', "mend": %s' "$(json "$4")"; fi
        printf '}'
        separator=,
    else
        case $1 in ok) word='ok  ' ;; warning) word=warn ;; *) word=FAIL ;; esac
        printf '%s %s\n' "$word" "$(clean "$3")"
        if [ "$1" != ok ]; then printf '     mend: %s\n' "$(clean "$4")"; fi
    fi
}
ok() { result ok "$@"; }
warn() {
    warnings=$((warnings + 1))
    result warning "$@"
}
fail() {
    failures=$((failures + 1))
    result failure "$@"
}
has() { command -v "$1" >/dev/null 2>&1; }

node=m-2
wanted=v1.33.3
socket=/run/containerd/containerd.sock
config=$here/rootfs/var/lib/kubelet/config.yaml
[ -r "$config" ] || config=/var/lib/kubelet/config.yaml
# setting NAME: a value of the kubelet's configuration, or nothing.
setting() { sed -n "s/^$1: //p" "$config" 2>/dev/null | tr -d "\"'"; }
# A running host has its files; its ports and directories are its own.
installed=no
if [ -e /etc/kubernetes/kubelet.conf ] || [ -e /etc/kubernetes/bootstrap-kubelet.conf ]; then installed=yes; fi

if [ "$format" = json ]; then printf '{"host": %s, "checks": [' "$(json "$node")"; fi

# --- who asks, and what runs here ------------------------------------------------------------------
if [ "$(id -u)" = 0 ]; then ok root 'running as root'; else fail root 'not running as root' 'sudo sh preflight.sh'; fi

system=$(uname -s) release=$(uname -r)
if [ "$system" = Linux ]; then ok os 'the system is Linux'; else fail os "the system is $system" 'use Linux'; fi
major=${release%%.*} minor=${release#*.}
minor=${minor%%[!0-9]*}
at_least() { # MAJOR MINOR
    case $major$minor in '' | *[!0-9]*) return 1 ;; esac
    [ "$major" -gt "$1" ] || { [ "$major" -eq "$1" ] && [ "${minor:-0}" -ge "$2" ]; }
}
if at_least 4 19; then
    ok kernel "the kernel is $release"
else
    fail kernel "the kernel is $release, and 4.19 is the oldest that will do" 'install a newer kernel'
fi

kernel_config() {
    for file in "/boot/config-$release" "/usr/lib/modules/$release/config" "/lib/modules/$release/config" \
        "/lib/modules/$release/build/.config" /proc/config.gz; do
        if [ -r "$file" ]; then
            case $file in *.gz) gzip -dc "$file" ;; *) cat "$file" ;; esac
            return
        fi
    done
    return 1
}
if options=$(kernel_config 2>/dev/null) && [ -n "$options" ]; then
    lacking=$(printf '%s\n' "$options" | awk '
        /^CONFIG_[A-Z0-9_]+=[ym]$/ { sub(/^CONFIG_/, ""); sub(/=.*/, ""); has[$0] = 1 }
        END {
            count = split("NAMESPACES NET_NS PID_NS IPC_NS UTS_NS CGROUPS CGROUP_CPUACCT CGROUP_DEVICE CGROUP_FREEZER CGROUP_PIDS CGROUP_SCHED CPUSETS MEMCG INET EXT4_FS PROC_FS NETFILTER_XT_TARGET_REDIRECT|IP_NF_TARGET_REDIRECT NETFILTER_XT_MATCH_COMMENT FAIR_GROUP_SCHED OVERLAY_FS|OVERLAYFS_FS", wanted, " ")
            for (i = 1; i <= count; i++) {
                split(wanted[i], names, "|")
                if (!(names[1] in has) && !(names[2] in has)) printf " %s", names[1]
            }
        }
    ')
    if [ -z "$lacking" ]; then
        ok kernel-config 'the kernel has what Kubernetes needs'
    else
        fail kernel-config "the kernel lacks$lacking" 'use the kernel of a distribution'
    fi
else
    warn kernel-config "the kernel's configuration cannot be read" 'modprobe configs, or install its config file'
fi

# brought DIRECTORY TEXT: whether install.sh brings a file there that has this line.
brought() { cat "$here/rootfs/etc/$1"/*.conf 2>/dev/null | tr -d ' ' | grep -qx "$2"; }
# later CHECK DIRECTORY TEXT MESSAGE MEND: a failure, unless install.sh does what is missing.
later() {
    if brought "$2" "$3"; then
        warn "$1" "$4" "install.sh brings it in /etc/$2"
    else
        fail "$1" "$4" "$5"
    fi
}
module() { # NAME, and what is there once it is loaded
    if [ -e "$2" ] || grep -qw "$1" /proc/filesystems 2>/dev/null; then
        ok modules "the kernel module $1 is loaded"
    elif ! modprobe -n "$1" >/dev/null 2>&1; then
        fail modules "the kernel module $1 is not loaded and cannot be, and install.sh loads it" \
            "install modprobe (kmod) and the modules of this kernel (linux-modules-extra, kernel-modules)"
    else
        later modules modules-load.d "$1" "the kernel module $1 is not loaded" \
            "modprobe $1; echo $1 >>/etc/modules-load.d/kubernetes.conf"
    fi
}
sysctl_is() { # NAME VALUE
    found=$(cat "/proc/sys/$(printf '%s' "$1" | tr . /)" 2>/dev/null)
    if [ "$found" = "$2" ]; then
        ok sysctl "$1 is $2"
    else
        later sysctl sysctl.d "$1=$2" "$1 is ${found:-not there}, not $2" \
            "sysctl -w $1=$2; echo $1=$2 >>/etc/sysctl.d/kubernetes.conf"
    fi
}
module overlay /sys/module/overlay
module br_netfilter /proc/sys/net/bridge
sysctl_is net.ipv4.ip_forward 1
sysctl_is net.ipv6.conf.default.forwarding 1
if [ "$(setting protectKernelDefaults)" = true ]; then
    sysctl_is vm.overcommit_memory 1
    sysctl_is vm.panic_on_oom 0
    sysctl_is kernel.panic 10
    sysctl_is kernel.panic_on_oops 1
    sysctl_is kernel.keys.root_maxkeys 1000000
    sysctl_is kernel.keys.root_maxbytes 25000000
fi

if ! grep -q '^/' /proc/swaps 2>/dev/null; then
    ok swap 'swap is off'
elif [ "$(setting failSwapOn)" = false ]; then
    ok swap 'swap is on, and the kubelet is configured to run with it'
else
    fail swap 'swap is on' 'swapoff -a and take it out of /etc/fstab, or set failSwapOn: false under kubelet in the spec'
fi

if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    ok cgroups 'cgroups are version 2'
    lacking=''
    for controller in cpu cpuset memory pids; do
        grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers || lacking="$lacking $controller"
    done
    if [ -z "$lacking" ]; then
        ok cgroups 'the cgroup controllers are there'
    else
        fail cgroups "cgroup controllers are missing:$lacking" 'take cgroup_disable= from the kernel command line'
    fi
    if ! at_least 5 8; then
        warn cgroups "cgroups of version 2 are whole from kernel 5.8, and this is $release" 'install a newer kernel'
    fi
elif [ -z "$(ls -A /sys/fs/cgroup 2>/dev/null)" ]; then
    fail cgroups 'no cgroups are mounted' 'boot with systemd, or mount -t cgroup2 none /sys/fs/cgroup'
else
    warn cgroups 'cgroups are version 1, which Kubernetes no longer develops' \
        'boot with systemd.unified_cgroup_hierarchy=1'
    lacking=''
    for controller in cpu cpuacct cpuset devices freezer memory pids; do
        awk -v name="$controller" '$1 == name && $4 == 1 { found = 1 } END { exit !found }' /proc/cgroups 2>/dev/null ||
            lacking="$lacking $controller"
    done
    if [ -n "$lacking" ]; then
        fail cgroups "cgroup controllers are missing:$lacking" 'put cgroup_enable= on the kernel command line'
    fi
fi
case $(setting cgroupDriver) in
    cgroupfs) ;;
    *)
        if [ -d /run/systemd/system ]; then
            ok cgroup-driver 'systemd runs, and the kubelet leaves cgroups to it'
        else
            fail cgroup-driver 'systemd does not run, and the kubelet leaves cgroups to it' \
                'boot with systemd, or set cgroupDriver: cgroupfs under kubelet in the spec'
        fi
        ;;
esac

# --- what has to be installed ----------------------------------------------------------------------
for tool in kubelet systemctl mount cp losetup; do
    if has "$tool"; then
        ok tools "$tool is installed"
    else
        fail tools "$tool is not on the PATH" "install the package that has $tool"
    fi
done
for tool in iptables ip crictl curl openssl; do
    has "$tool" || warn tools "$tool is not on the PATH" "install the package that has $tool, where it is wanted"
done
if has kubelet; then
    found=$(kubelet --version 2>/dev/null | cut -d' ' -f2)
    if [ "$found" = "$wanted" ]; then
        ok kubelet "the kubelet is $wanted"
    else
        fail kubelet "the kubelet is ${found:-unknown}, and this host is to run $wanted" "install kubelet $wanted"
    fi
fi
if has systemctl; then
    if systemctl cat kubelet.service >/dev/null 2>&1; then
        if systemctl is-enabled --quiet kubelet.service 2>/dev/null; then
            ok service 'kubelet.service is enabled'
        else
            warn service 'kubelet.service is not enabled' 'install.sh enables it; or systemctl enable kubelet'
        fi
    elif [ -f "$here/rootfs/etc/systemd/system/kubelet.service" ]; then
        ok service 'install.sh brings kubelet.service'
    else
        fail service 'there is no kubelet.service' 'install the package that has the kubelet'
    fi
    if systemctl is-active --quiet firewalld 2>/dev/null; then
        warn firewall 'firewalld runs' 'open the ports 10250 6443 10257 10259, or stop it'
    fi
    if systemctl is-active --quiet systemd-resolved 2>/dev/null; then
        if [ -n "$(setting resolvConf)" ]; then
            ok resolver 'systemd-resolved runs, and the kubelet is told which resolv.conf pods get'
        else
            fail resolver 'systemd-resolved runs, and pods would get its stub, which they cannot reach' \
                'set resolvConf: /run/systemd/resolve/resolv.conf under kubelet in the spec'
        fi
    fi
fi
if [ ! -S "$socket" ]; then
    fail runtime "no container runtime listens at $socket" 'install and start it, or name its socket as criSocket in the spec'
elif has crictl; then
    if status=$(crictl --timeout 5s --runtime-endpoint "unix://$socket" info 2>&1); then
        ok runtime "the container runtime at $socket answers"
    else
        fail runtime "the container runtime at $socket does not answer: $(printf '%s\n' "$status" | tail -n 1)" \
            'start it; containerd must not have disabled_plugins = ["cri"]'
    fi
else
    ok runtime "a container runtime listens at $socket"
fi
image() { # NAME
    if [ -n "$(crictl --timeout 5s --image-endpoint "unix://$socket" --runtime-endpoint "unix://$socket" \
        images --quiet "$1" 2>/dev/null)" ]; then
        ok images "the image $1 is here"
    else
        warn images "the image $1 is not here" "the kubelet pulls it; or crictl pull $1"
    fi
}
if [ -S "$socket" ] && has crictl; then
    :
    image registry.k8s.io/kube-apiserver:v1.33.3
    image registry.k8s.io/kube-controller-manager:v1.33.3
    image registry.k8s.io/kube-scheduler:v1.33.3
    image registry.k8s.io/pause:3.10
fi

# --- what the machine is ---------------------------------------------------------------------------
cpus=$(nproc 2>/dev/null || grep -c '^processor' /proc/cpuinfo)
if [ "${cpus:-0}" -ge 2 ]; then
    ok cpu "there are $cpus CPUs"
else
    fail cpu "there is ${cpus:-0} CPU, and a control plane needs 2" 'use a larger machine'
fi
memory=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
if [ "${memory:-0}" -ge 1700 ]; then
    ok memory "there are $memory MiB of memory"
else
    fail memory "there are ${memory:-0} MiB of memory, and a control plane needs 1700" 'use a larger machine'
fi
address() { # ADDRESS
    if ! has ip; then
        warn address "it cannot be seen whether this machine has the address $1" 'install the package that has ip'
    elif ip -o addr show 2>/dev/null | grep -qF " $1/"; then
        ok address "this machine has the address $1"
    else
        fail address "this machine does not have the address $1" 'give it the address, or correct the spec'
    fi
}
address 10.8.0.2
address fd00:8::2
name=$(uname -n)
if [ "$name" = "$node" ]; then
    ok hostname "the host name is $node"
else
    ok hostname "the host name is $name, and the kubelet is told to be $node"
fi
resolves() { # NAME or address
    case $1 in *:* | *.*.*.*[0-9]) case $1 in *[!0-9a-fA-F.:]*) ;; *) return 0 ;; esac ;; esac
    if has getent; then
        getent hosts "$1" >/dev/null 2>&1
    else
        grep -v '^[[:space:]]*#' /etc/hosts 2>/dev/null | grep -qwF -- "$1" || nslookup "$1" >/dev/null 2>&1
    fi
}
if resolves "$node"; then
    ok hostname "$node resolves"
else
    warn hostname "$node does not resolve here" "put 10.8.0.2 $node into /etc/hosts, or into DNS"
fi
if [ "$(timedatectl show --property NTPSynchronized --value 2>/dev/null)" = yes ] ||
    chronyc -n tracking 2>/dev/null | grep -q '^Leap status *: Normal'; then
    ok time 'the clock is synchronized'
else
    warn time 'the clock is not known to be synchronized' 'timedatectl set-ntp true, or install chrony'
fi
now=$(date -u +%Y%m%d%H%M%S)
if [ "$now" -lt 20261124000000 ]; then
    fail time "the clock says $now (UTC), before the certificates begin at 20261124000000" 'set the clock'
elif [ "$now" -gt 20271124000500 ]; then
    fail time "the clock says $now (UTC), after the certificates ended at 20271124000500" \
        'set the clock, or move pki.issuedAt in the spec forward'
else
    ok time 'the clock is within the life of the certificates'
fi
for variable in "${http_proxy:-}" "${https_proxy:-}" "${HTTP_PROXY:-}" "${HTTPS_PROXY:-}"; do
    if [ -n "$variable" ]; then
        warn proxy 'this shell has a proxy' 'let no_proxy have 10.112.0.0/16,fd00:70::/112,10.64.0.0/14,fd00:40::/48,10.8.0.1,10.8.0.2,10.8.0.3, and the runtime'"'"'s and the kubelet'"'"'s services too'
        break
    fi
done

# --- what has to be free ---------------------------------------------------------------------------
# listeners PORT: the sockets that listen there, each its inode.
listeners() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf ':%04X' "$1")" \
        '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }'
}
# owner INODE: the name of the process that has the socket, as far as this user sees.
owner() {
    # shellcheck disable=SC2012 # the links' targets are wanted, and file descriptors are numbers
    process=$(ls -l /proc/[0-9]*/fd 2>/dev/null | awk -v socket="socket:[$1]" '
        /^\/proc\/[0-9]+\/fd:$/ { split($0, part, "/") }
        $NF == socket { print part[3]; exit }
    ')
    if [ -n "$process" ]; then cat "/proc/$process/comm" 2>/dev/null; fi
}
port() { # NUMBER PROGRAM
    held=$(listeners "$1" | head -n 1)
    if [ -z "$held" ]; then
        ok ports "port $1 is free"
        return
    fi
    by=$(owner "$held")
    if [ "$by" = "$2" ] && [ "$installed" = yes ]; then
        ok ports "port $1 is held by this host's own $2"
    elif [ -z "$by" ] && [ "$installed" = yes ]; then
        warn ports "port $1 is in use, it cannot be seen by whom" 'run this as root'
    else
        fail ports "port $1 is in use by ${by:-an unknown process}, and $2 needs it" 'stop what listens there'
    fi
}
port 10250 kubelet
port 6443 kube-apiserver
port 10257 kube-controller
port 10259 kube-scheduler
is_empty() { [ -z "$(ls -A "$1" 2>/dev/null)" ]; }
for file in /etc/kubernetes/manifests/* /etc/kubernetes/manifests/.[!.]*; do
    [ -e "$file" ] || continue
    case ${file##*/} in
        etcd.yaml | kube-apiserver.yaml | kube-controller-manager.yaml | kube-scheduler.yaml)
            [ "$installed" = yes ] ||
                fail directories "$file is there, and this host is not installed" 'kubeadm reset, or remove it'
            ;;
        *) warn directories "the kubelet runs $file too" 'remove it if it is none of yours' ;;
    esac
done
if [ -f /etc/kubernetes/pki/ca.crt ] && ! cmp -s /etc/kubernetes/pki/ca.crt "$here/rootfs"/etc/kubernetes/pki/ca.crt; then
    if [ "$installed" = yes ]; then
        warn directories '/etc/kubernetes/pki/ca.crt is another than the tree'"'"'s' \
            'right while an authority is being replaced; else kubeadm reset: this machine was in another cluster'
    else
        fail directories '/etc/kubernetes/pki/ca.crt is another cluster'"'"'s' 'kubeadm reset, or remove it'
    fi
fi
# there PATH: whether it is on this machine, or install.sh brings it.
there() { [ -e "$1" ] || [ -e "$here/rootfs$1" ] || [ -e "$here/sealed$1" ]; }
if there /etc/kubernetes/external-etcd/ca.crt; then
    ok credentials '/etc/kubernetes/external-etcd/ca.crt, for the etcd elsewhere, is there'
else
    fail credentials '/etc/kubernetes/external-etcd/ca.crt, for the etcd elsewhere, is not there' 'bring it there'
fi
if there /etc/kubernetes/external-etcd/client.crt; then
    ok credentials '/etc/kubernetes/external-etcd/client.crt, for the etcd elsewhere, is there'
else
    fail credentials '/etc/kubernetes/external-etcd/client.crt, for the etcd elsewhere, is not there' 'bring it there'
fi
if there /etc/kubernetes/external-etcd/client.key; then
    ok credentials '/etc/kubernetes/external-etcd/client.key, for the etcd elsewhere, is there'
else
    fail credentials '/etc/kubernetes/external-etcd/client.key, for the etcd elsewhere, is not there' 'bring it there'
fi
own=/var/lib/kubelet/pki/kubelet-client-current.pem
if [ -f "$own" ] && has openssl; then
    if ! openssl verify -no_check_time -partial_chain -CAfile "$here/rootfs"/etc/kubernetes/pki/ca.crt "$own" >/dev/null 2>&1; then
        fail credentials "$own is no certificate of this cluster, and install.sh keeps it" "remove $own"
    elif ! openssl x509 -in "$own" -noout -subject -nameopt multiline 2>/dev/null |
        grep -q "commonName *= system:node:$node\$"; then
        fail credentials "$own is the certificate of another node, and install.sh keeps it" "remove $own"
    else
        ok credentials "$own is this node's"
    fi
fi

# --- who has to be reached -------------------------------------------------------------------------
# connect HOST PORT: what becomes of a connection: open, refused, silent, unresolved or unknown.
connect() {
    case $1 in *:*) place="[$1]:$2" ;; *) place=$1:$2 ;; esac
    if has curl; then
        took=$(curl --silent --insecure --globoff --noproxy '*' --connect-timeout 2 --max-time 3 --output /dev/null \
            --write-out '%{time_connect}' "https://$place/" 2>/dev/null)
        case $?,$took in
            6,*) echo unresolved ;;
            7,*) echo refused ;;
            28,0.000*) echo silent ;;
            2,*) echo unknown ;;
            *) echo open ;;
        esac
    elif ! resolves "$1"; then
        echo unresolved
    elif has nc; then
        # busybox's nc has no -z: what it is given to send ends at once
        if nc -w 2 "$1" "$2" </dev/null >/dev/null 2>&1; then echo open; else echo refused; fi
    else
        echo unknown
    fi
}
# reach WHAT HOST PORT: failure or warning, as the cluster runs already (controlPlane.bootstrapped) or not yet.
reach() {
    case $(connect "$2" "$3") in
        open) ok reach "$1 is reached at $2 port $3" ;;
        unresolved) fail reach "$1 does not resolve: $2" "put $2 into DNS or /etc/hosts" ;;
        unknown) warn reach "$1 at $2 port $3 is not looked at" 'install curl or nc' ;;
        refused) warn reach "nothing listens for $1 at $2 port $3" 'right on a first boot; else start it' ;;
        *) warn reach "$1 is silent at $2 port $3" 'a firewall or a route; right if that machine is not up yet' ;;
    esac
}
reach 'the endpoint' api.metal.example.com 8443
reach 'the API server of m-1' 10.8.0.1 6443
reach 'the API server of m-3' 10.8.0.3 6443
reach etcd 10.9.0.1 2379
reach etcd 10.9.0.2 2379
reach etcd 10.9.0.3 2379

if [ "$format" = json ]; then
    printf '\n ],\n "failures": %s,\n "warnings": %s}\n' "$failures" "$warnings"
else
    printf '%s failures, %s warnings\n' "$failures" "$warnings"
fi
[ "$failures" = 0 ] || exit 1
