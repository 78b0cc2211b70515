# shellcheck shell=bash
# Sourced by the scripts that have podreap on a node of their own: SCRIPT DIR PODREAP HELPER. For root in mount, network and PID
# namespaces of its own, so that nothing outlives it:
#     unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private -- SCRIPT DIR PODREAP HELPER
# What there is to check is printed in sections that begin with "## NAME"; nothing is checked here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$1 user=61234
section() { printf '## %s\n' "$1"; }
# What fails is shown with its status, and what follows it is still tried.
run() { "$@" 2>&1 || printf 'exit status %d\n' $?; }
# Hierarchies are shared by all namespaces, so that each node has a cgroup of its own for its pods.
PODREAP_PEER_CGROUP=/podreap-peer-$(readlink /proc/self/ns/pid | tr -dc 0-9)
export PODREAP_PEER_CGROUP
cgroups() { find /sys/fs/cgroup -maxdepth 2 -name "${PODREAP_PEER_CGROUP#/}"; }
clear_cgroups() { for root in $(cgroups); do find "$root" -depth -type d -exec rmdir {} + 2>/dev/null || true; done; }
finish() {
    # Nothing of this PID namespace but this shell.
    kill -KILL -1 2>/dev/null || true
    wait 2>/dev/null || true
    clear_cgroups
}
clear_cgroups
trap finish EXIT

mount -t tmpfs -o mode=755 podreap "$dir"
mkdir "$dir"/{bin,lib,etc,etc-work}
# Programs of another release, with the C library that they need: older programs go on working above it.
if [[ -n ${PODREAP_PEER_LAYER:-} ]]; then
    cp -a "$PODREAP_PEER_LAYER/usr" "$dir/usr"
    mount -t overlay -o "lowerdir=$dir/usr:/usr" podreap-peer /usr
fi
chown $user:$user "$dir/lib"
mount -t overlay -o "lowerdir=/etc,upperdir=$dir/etc,workdir=$dir/etc-work" overlay /etc
mkdir -p /etc/podreap
cp "$2" "$dir/bin/podreap"
cp "$3" "$dir/bin/podreap-helper"
chown 0:$user "$dir/bin/podreap-helper"
chmod 0750 "$dir/bin/podreap-helper"
setcap cap_sys_admin,cap_dac_override,cap_fowner,cap_kill,cap_setuid,cap_setgid,cap_setpcap=p "$dir/bin/podreap-helper"
export PODREAP_REGISTRY=$dir/lib/registry.sqlite PODREAP_HELPER=$dir/bin/podreap-helper NO_COLOR=1
root() { "$dir/bin/podreap" "$@"; }
podreap() { setpriv --reuid $user --regid $user --clear-groups "$dir/bin/podreap" "$@"; }
