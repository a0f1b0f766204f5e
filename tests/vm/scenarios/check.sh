#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# --check where hard limits, Yama and control groups of version 2 are real: each cause is named, the launch
# agrees, and its remedy, followed in that same place, makes --check answer 0 and the launch lock.
#
# needs-launcher: yes
# needs-program: prlimit setcap setpriv strace su tail unshare
# needs-file: /lib/*-linux-gnu/security/pam_limits.so /lib/*-linux-gnu/security/pam_permit.so
# needs-source: json-lines large
# time-limit: 600

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

groups=/sys/fs/cgroup
yama=/proc/sys/kernel/yama/ptrace_scope
mebibyte=$((1024 * 1024))
# Whole paths: the shell would take its own applets, and to search for each costs more than to run it.
prlimit=$(path_of prlimit)
setpriv=$(path_of setpriv)
unshare=$(path_of unshare)
as_tester="$setpriv --reuid 1000 --regid 1000 --clear-groups"
without_both="$setpriv --bounding-set -sys_resource,-ipc_lock"
without_resource="$setpriv --bounding-set -sys_resource"
unlimited="$prlimit --memlock=unlimited:unlimited"
finite="$prlimit --memlock=8388608:8388608"
dynamic="tail -n 99 /proc/self/status"
static="/opt/static/cat /proc/self/status"
newline="
"

# --- what a row is asked ---

# row NAME COMMAND...: as check, in this very shell: COMMAND leaves what it found for the rows to come.
row() {
    local name="$1"
    shift
    if "$@" >/tmp/seen 2>&1; then
        ok "$name"
    else
        not_ok "$name" "$(cat /tmp/seen)"
    fi
}

# The place: words before the launcher.
at() {
    place="$*"
    launcher=/usr/local/bin/duende-run
    options=
    program=$dynamic
}

# run WORD...: the launcher with these, in the place; sets status, output and errors.
run() {
    status=0
    # shellcheck disable=SC2086 # several words
    $place $launcher --no-config "$@" --required $options -- $program </dev/null >/tmp/output 2>/tmp/errors || status=$?
    output=$(cat /tmp/output)
    errors=$(cat /tmp/errors)
}

# ask: --check as the lines of json-lines in $answer.
ask() {
    run --check --json
    answer=$newline$(json-lines </tmp/output)$newline
    cause=$(value cause)
    remedy=$(value remedy)
}

# value KEY: empty if there is none.
value() {
    local rest="${answer#*"$newline$1 "}"
    [ "$rest" = "$answer" ] || echo "${rest%%"$newline"*}"
}

# text_line NAME: what stands behind NAME in the answer for a person.
text_line() {
    local rest="${text#*"$newline$1 "}"
    [ "$rest" = "$text" ] || echo "${rest%%"$newline"*}" | sed 's/^ *//'
}

# status_number NAME: in kB, of the program's own /proc/self/status.
status_number() {
    local rest="${output#*"$1:"}"
    [ "$rest" = "$output" ] || echo $((${rest%%kB*}))
}

# The program shows its own /proc/self/status: nothing of it if main() did not run.
launch_locks() {
    run
    [ "$status" -eq 0 ] && [ "$(status_number VmLck)" -gt 0 ] && [ $(($(status_number VmSize) - $(status_number VmLck))) -le 64 ]
}

show() {
    printf '%s\n' "$1" "$place $launcher $options -- $program" "status $status" "$errors" "$output" "$text" "$answer"
    return 1
}

# named CAUSE REMEDY: both forms of the answer name CAUSE and give one remedy, which is REMEDY (a pattern of
# the shell); under --required main() does not run.
named() {
    text=
    ask
    [ "$status $(value verdict)" = "1 no" ] || show "the answer is not no" || return
    [ "$cause $(value findings.0.name)" = "$1 $1" ] || show "the cause is not $1" || return
    # shellcheck disable=SC2254 # a pattern
    case $remedy in
        $2) ;;
        *) show "the remedy is not: $2" || return ;;
    esac
    run --check
    text=$newline$output$newline
    case "$status $(text_line cause)" in
        "1 $1: "?*) ;;
        *) show "the text does not name $1" || return ;;
    esac
    [ "$(text_line remedy)" = "$remedy" ] || show "the text has another remedy" || return
    run
    if [ "$status" -eq 0 ] || [ -n "$output" ]; then
        show "main() ran"
    fi
}

works() {
    text=
    ask
    [ "$status $(value verdict) $cause" = "0 yes null" ] || show "the answer is not yes" || return
    launch_locks || show "the launch did not lock"
}

# works_with FINDING SEVERITY [TEXT]: and FINDING is among what else is worth knowing.
works_with() {
    works && has_finding "$@"
}

works_without() {
    works || return
    [ -z "$(finding_number "$1")" ] || show "there is a finding $1"
}

finding_number() {
    echo "$answer" | sed -n "s/^findings\.\([0-9]*\)\.name $1\$/\1/p"
}

# has_finding FINDING SEVERITY [TEXT]: in the last answer.
has_finding() {
    local number
    number=$(finding_number "$1")
    [ "$(value "findings.$number.severity")" = "$2" ] || show "no finding $1 that is $2" || return
    case $(value "findings.$number.text") in
        *"${3:-}"*) ;;
        *) show "the finding $1 does not say: $3" ;;
    esac
}

finding_remedy() {
    value "findings.$(finding_number "$1").remedy"
}

# --- places that stay ---

# open_shell COMMAND...: COMMAND becomes a shell, $shell, in which /tmp/in_shell runs its words.
open_shell() {
    rm -f /tmp/words /tmp/done
    mkfifo -m 666 /tmp/words /tmp/done
    # shellcheck disable=SC2016 # for that shell
    "$@" sh -c 'while read -r words </tmp/words; do $words; echo $? >/tmp/done; done' >/dev/null 2>&1 &
    shell=$!
}

close_shell() {
    kill "$shell"
    wait "$shell" || true
}

cat >/tmp/in_shell <<'END'
#!/bin/sh
echo /tmp/behind_shell "$@" >/tmp/words
read -r status </tmp/done
cat /tmp/shell.output
cat /tmp/shell.errors >&2
exit "$status"
END
cat >/tmp/behind_shell <<'END'
#!/bin/sh
exec "$@" >/tmp/shell.output 2>/tmp/shell.errors
END
# in_group GROUP COMMAND...
cat >/tmp/in_group <<'END'
#!/bin/sh
echo $$ >/sys/fs/cgroup/"$1"/cgroup.procs
shift
exec "$@"
END
# By a login, as busybox' su is none.
cat >/tmp/login <<'END'
#!/bin/sh
exec /usr/bin/su tester -s /bin/sh -c 'exec "$0" "$@"' -- "$@"
END
chmod 755 /tmp/in_shell /tmp/behind_shell /tmp/in_group /tmp/login
touch /tmp/shell.output /tmp/shell.errors
chmod 666 /tmp/shell.output /tmp/shell.errors

# --- limits ---

at
row "root: locking would work" works
check_equal "this machine is bare metal" host "$(value place)"
check_equal "root may raise the hard limit" true "$(value memlock.may_be_raised)"
at "$prlimit" --memlock=65536:8388608
row "with CAP_SYS_RESOURCE the hard limit is no finding" works_without hard-limit
row "a soft limit below it is named, and raised" has_finding soft-limit note "64 kB, below the hard one (8192 kB)"
at "$prlimit" --memlock=65536:unlimited "$without_both"
row "a soft limit alone needs no capability" works_with soft-limit note "64 kB, below the hard one (unlimited)"

at "$without_resource"
row "without CAP_SYS_RESOURCE root's capability does it" works_with hard-limit note "it takes CAP_SYS_RESOURCE"
row "with a risk if COMMAND changes its user" has_finding user-change risk
check_equal "the remedy of the risk" "an unlimited RLIMIT_MEMLOCK, or --user=USER" "$(finding_remedy user-change)"
options=--user=1000
row "--user=USER takes the risk away" works_without user-change
at "$unlimited" "$without_resource"
row "an unlimited RLIMIT_MEMLOCK takes the risk away" works_without user-change

at "$without_both"
row "root without either capability: the bounding set is named" named capability-not-in-bounding-set \
    "start it from a root shell that has CAP_IPC_LOCK or an unlimited RLIMIT_MEMLOCK"
row "the hard limit stands in the way as well" has_finding hard-limit blocks
row "and so does the permitted set" has_finding capability-missing blocks
at "$without_resource"
row "remedy: a root shell that has CAP_IPC_LOCK" works
at "$unlimited" "$without_both"
row "remedy: a root shell that has an unlimited RLIMIT_MEMLOCK" works

# shellcheck disable=SC2086 # several words
open_shell $finite $as_tester
at /tmp/in_shell
row "a user and a finite limit: the capability is missing" named capability-missing \
    "as root: prlimit --pid \$\$ --memlock=unlimited in this shell, or for every login '\* - memlock unlimited' in /etc/security/limits.d/memlock.conf"
row "the hard limit stands in the way of a user as well" has_finding hard-limit blocks
this=$(echo "$remedy" | sed -n "s/^as root: \(prlimit .*\) in this shell.*/\1/p" | sed "s/\\\$\\\$/$shell/")
row "remedy: $this" eval "$this"
row "in that same shell locking would work" works
close_shell

mkdir -p /etc/pam.d /etc/security/limits.d
printf '%s\n' 'auth sufficient pam_permit.so' 'account required pam_permit.so' 'session required pam_limits.so' >/etc/pam.d/su
: >/etc/security/limits.conf
at /tmp/login
row "a login and a finite limit: the capability is missing" named capability-missing "*"
this=$(echo "$remedy" | sed -n "s/.* for every login '\(.*\)' in \(.*\)/echo '\1' >\2/p")
row "remedy: $this" eval "$this"
row "in the next login locking would work" works

# shellcheck disable=SC2086
open_shell $finite $as_tester
at /tmp/in_shell
options=--memlock=1G
row "a budget above the hard limit: the hard limit is named" named hard-limit \
    "name at most the hard limit, or raise it as a user with CAP_SYS_RESOURCE"
options=--memlock=8M
row "remedy: at most the hard limit" works
"$prlimit" --pid "$shell" --memlock=8388608:$((1024 * mebibyte))
options=--memlock=1G
row "remedy: root, who has CAP_SYS_RESOURCE, raises it" works
close_shell

# --- the capability: sets, file capabilities, user namespaces ---

mkdir /tmp/pair /tmp/nosuid
cp /usr/local/bin/duende-run /usr/local/bin/duende-preload.*.so /tmp/pair
for sets in p ep; do
    setcap "cap_ipc_lock+$sets" /tmp/pair/duende-run
    at "$as_tester"
    launcher=/tmp/pair/duende-run
    row "a file capability +$sets is not ambient" named capability-not-ambient \
        "let duende-run make it ambient: --user with the present user's ID"
    [ "$sets" != p ] || row "nor effective" has_finding capability-not-effective note
    options=--user=1000
    row "remedy for +$sets: --user with the present user's ID" works
done

# Two programs: setpriv itself still has the capability, which no_new_privs lets a file capability keep.
at "$as_tester" "$setpriv" --no-new-privs
launcher=/tmp/pair/duende-run
row "no_new_privs against file capabilities is named" named no-new-privileges \
    "start it without no_new_privs, and add --user with the present user's ID"
at "$as_tester"
launcher=/tmp/pair/duende-run
options=--user=1000
row "remedy: without no_new_privs, and with --user" works

mount -t tmpfs -o nosuid,mode=755 tmpfs /tmp/nosuid
cp -a /tmp/pair/. /tmp/nosuid
setcap cap_ipc_lock+ep /tmp/nosuid/duende-run
at "$as_tester"
launcher=/tmp/nosuid/duende-run
row "a nosuid mount against file capabilities is named" named nosuid \
    "install duende-run on a file system that is mounted without nosuid, and add --user with the present user's ID"
mount -o remount,suid /tmp/nosuid
options=--user=1000
row "remedy: that mount without nosuid, and --user" works

at "$unshare" -Ur
row "root of a user namespace: the namespace is named" named user-namespace \
    "only the host can lift it: raise RLIMIT_MEMLOCK (prlimit --memlock=unlimited) before the user namespace is made"
check_equal "the capability is effective there and not honoured" "true false" \
    "$(value cap_ipc_lock.effective) $(value cap_ipc_lock.honoured)"
this=$(echo "$remedy" | sed -n 's/.*(\(prlimit .*\)).*/\1/p')
at "$(path_of prlimit) ${this#prlimit }" "$unshare" -Ur
row "remedy: $this before the namespace is made" works
at "$as_tester" "$unshare" -Ur
row "a user's own namespace is named too" named user-namespace "only the host can lift it: *"
at "$unlimited" "$as_tester" "$unshare" -Ur
row "and has the same remedy" works

# --- control groups of version 2 ---

mkdir "$groups/outer"
echo "+memory +pids" >"$groups/outer/cgroup.subtree_control"
mkdir "$groups/outer/inner"

# set_limit GROUP FILE VALUE
set_limit() {
    echo "$3" >"$groups$1/$2"
}

# names_memory_max_of GROUP: the one that has the least limit.
names_memory_max_of() {
    named memory-max "raise it to *M or more" || return
    [ "$(value cgroup.version) $(value cgroup.path)" = "2 /outer/inner" ] || show "not the group of the process" || return
    [ "$(value cgroup.max.group)" = "$1" ] || show "the limit is not that of $1" || return
    case $(text_line cause) in
        *" memory.max of $1 is "*) ;;
        *) show "the text does not name $1" ;;
    esac
}

# Sets memory.max of GROUP to the size that the remedy names.
follow_size() {
    local size="${remedy#raise it to }"
    set_limit "$1" memory.max "${size% or more}"
}

for group in /outer/inner /outer; do
    at /tmp/in_group outer/inner
    program=large
    set_limit "$group" memory.max 12M
    row "memory.max of $group is too small: named" names_memory_max_of "$group"
    follow_size "$group"
    row "remedy for $group: $remedy" works
    set_limit "$group" memory.max max
done

set_limit /outer memory.max 12M
set_limit /outer/inner memory.max 8M
row "of two that are too small the lesser one is named" names_memory_max_of /outer/inner
follow_size /outer/inner
row "after its remedy the other one" names_memory_max_of /outer
follow_size /outer
row "after both remedies locking would work" works
set_limit /outer memory.max max
set_limit /outer/inner memory.max max

# high_is_risk GROUP: a launch there would crawl; none is tried.
high_is_risk() {
    ask
    [ "$status" -eq 0 ] || show "not a risk" || return
    has_finding memory-high risk "memory.high of $1 is 24576 kB" || return
    run --check
    text=$newline$output
    case $text in
        *"${newline}risk         memory-high: memory.high of $1 is "*) ;;
        *) show "the text does not name it" ;;
    esac
}

for group in /outer/inner /outer; do
    set_limit "$group" memory.high 24M
    row "memory.high of $group is a risk" high_is_risk "$group"
    check_equal "its remedy in $group" "write max to its memory.high, and use memory.max as the bound" "$(finding_remedy memory-high)"
    set_limit "$group" memory.high max
    set_limit "$group" memory.max 64M
    row "remedy: memory.high of $group is max, memory.max the bound" works_without memory-high
    set_limit "$group" memory.max max
done

set_limit /outer memory.swap.max 0
row "memory.swap.max without memory.max is no finding" works_without memory-swap-max
set_limit /outer/inner memory.max 64M
row "with it it is a note, and names the group that has it" \
    works_with memory-swap-max note "memory.swap.max of /outer is 0"
set_limit /outer memory.swap.max max
set_limit /outer/inner memory.swap.max 1M
row "also if that is the process's own" works_with memory-swap-max note "memory.swap.max of /outer/inner is 1024 kB"
set_limit /outer/inner memory.swap.max max
set_limit /outer/inner memory.max max

# --- attributes ---

# check_attribute NAME OPTION REMEDY CAPABILITY: a user lacks it; root has it, and so has a user with that
# capability alone.
check_attribute() {
    at "$unlimited" "$as_tester"
    options=$2
    row "$2 without privilege is named" named "$1" "$3"
    at
    options=$2
    row "remedy for $2: $3" works
    at "$unlimited" "$as_tester" --inh-caps "+$4" --ambient-caps "+$4"
    options=$2
    row "$4 alone is enough for $2" works
}

# own_fields FIRST-LAST: of the program's /proc/self/stat (proc_pid_stat(5)), two less than there.
own_fields() {
    program="tail -n 1 /proc/self/stat"
    run
    echo "$output" | sed 's/.*) //' | cut -d ' ' -f "$1"
}

check_attribute io-flusher --io-flusher "start it as root, with CAP_SYS_RESOURCE" sys_resource
check_equal "the kernel shows the I/O flusher" $((0x180000)) $(($(own_fields 7) & 0x180000))
check_attribute oom-score-adj --oom-score-adj=-500 \
    "start it as root, with CAP_SYS_RESOURCE" sys_resource
program="tail -n 1 /proc/self/oom_score_adj"
run
check_equal "the kernel shows the OOM score" -500 "$output"
check_attribute realtime --realtime=1 "start it as root, with CAP_SYS_NICE" sys_nice
check_equal "the kernel shows SCHED_FIFO 1" "1 1" "$(own_fields 38-39)"
at "$unlimited" "$prlimit" --rtprio=1:1 "$as_tester"
options=--realtime=1
row "RLIMIT_RTPRIO gives --realtime too" works
options=--realtime=2
row "but no higher priority" named realtime "start it as root, with CAP_SYS_NICE"

# shellcheck disable=SC2086
open_shell $unlimited $as_tester
at /tmp/in_shell
echo -500 >"/proc/$shell/oom_score_adj"
row "remedy: an OOM score that a manager has lowered is inherited" works
check_equal "and shown" -500 "$(value oom_score_adj)"
close_shell

at "$unlimited" "$prlimit" --stack=1048576:1048576 "$as_tester"
options=--stack-limit=4M
row "--stack-limit above the hard limit is named" named stack-limit "name a smaller size"
options=--stack-limit=1M
row "remedy: a smaller size" works

# --- the tracer: processes, other tracers, Yama ---

# cannot_start_children: neither yes nor no.
cannot_start_children() {
    ask
    [ "$status $(value verdict) $cause" = "125 unknown fork" ] || show "it is not unknown" || return
    [ "$remedy" = "raise the limit of processes (RLIMIT_NPROC, pids.max)" ] || show "another remedy"
}

at /tmp/in_group outer/inner
program=$static
set_limit /outer/inner pids.max 1
row "pids.max leaves no process to try anything" cannot_start_children
set_limit /outer/inner pids.max 3
row "remedy: a higher pids.max" works
set_limit /outer/inner pids.max max

at "$(path_of strace)" -f -o /dev/null
program=$static
row "strace traces already: named" named traced "start COMMAND without strace or debugger"
at
program=$static
row "remedy: without strace" works_with static risk

for scope in 0 1; do
    echo "$scope" >"$yama"
    at
    program=$static
    row "ptrace_scope $scope lets root lock a static program" works_without yama
    at "$unlimited" "$as_tester"
    program=$static
    row "ptrace_scope $scope lets a user lock one" works_without yama
done
echo 2 >"$yama"
at
program=$static
row "ptrace_scope 2 lets root" works_without yama
at "$unlimited" "$as_tester"
row "it does not matter to a dynamic program" works_with yama note "kernel.yama.ptrace_scope is 2"
program=$static
row "it lets no user lock a static one: named" named yama \
    "give duende-run CAP_SYS_PTRACE, or set kernel.yama.ptrace_scope to 1"
at "$unlimited" "$as_tester" --inh-caps +sys_ptrace --ambient-caps +sys_ptrace
program=$static
row "remedy: CAP_SYS_PTRACE" works
echo 1 >"$yama"
at "$unlimited" "$as_tester"
program=$static
row "remedy: kernel.yama.ptrace_scope is 1" works
# No way leads back from here but a new boot.
echo 3 >"$yama"
at
program=$static
row "ptrace_scope 3 lets nobody: named" named yama \
    "boot with kernel.yama.ptrace_scope below 3, or use a dynamically linked COMMAND"
program=$dynamic
row "remedy: a dynamically linked COMMAND" works_with yama note "kernel.yama.ptrace_scope is 3"
