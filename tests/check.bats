#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# --check: each cause is produced for real and named, the launch in the same place agrees, and following the printed remedy makes
# --check answer 0 there. Rows as in fail_closed.bats; helpers_fail_closed.bash has the vocabulary.
# shellcheck disable=SC2016 # text for inner shells
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # tests are subshells, and share variables with the helpers

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load helpers_fail_closed

setup_file() {
    [[ $(id -u) -eq 0 ]] || return 0
    make_ground
}

teardown_file() { remove_ground; }

setup() {
    common_setup
    requires root
    requires setpcap
    requires eight_mib_to_lock
    requires python3
    begin_row
}

teardown() {
    common_teardown
    remove_group
}

# --- what a row is asked --------------------------------------------------------------------------------------------------

# check [OPTION]...: leaves its status in $status, its JSON in the row's file `json` and errors in `err`.
check() {
    status=0
    launched="--check $* ${options[*]} -- ${command[*]}"
    (
        cd "$own"
        exec "$programs/alone" "${within[@]}" "$launcher" --no-config --check --json "$@" "${options[@]}" -- "${command[@]}"
    ) >"$own/json" 2>"$own/err" </dev/null 3>&- || status=$?
    : >"$own/out"
    read_lines
    [[ ! -s $own/err ]] || wrong "something was written to stderr"
}

# json EXPRESSION: a Python expression about the answer `j`.
json() {
    python3 -c 'import json, sys
j = json.load(open(sys.argv[1]))
value = eval(sys.argv[2])
print(value if not isinstance(value, bool) else str(value).lower())' "$own/json" "$1"
}

# finding NAME KEY: severity, text or remedy of a finding; nothing if there is none.
finding() { json "next((f['$2'] or '' for f in j['findings'] if f['name'] == '$1'), '')"; }

assert_finding() {
    [[ $(finding "$1" severity) == "$2" ]] || wrong "no finding $1 that is '$2': $(<"$own/json")"
}

# What the launch does: it locks, or main() does not run.
launch_locks() { [[ -e $marker && $status -eq $OWN_STATUS && $(grep -c 'locked (' "$own/err") -ge 1 ]]; }

agrees_that_it_fails() {
    launch --required --verbose
    ! launch_locks || wrong "--check said no, and the launch locked"
    [[ ! -e $marker ]] || wrong "main() ran under --required"
}

# fails CAUSE [REMEDY]: --check names CAUSE and gives a remedy that matches REMEDY, with and without --required; the launch fails.
fails() {
    local option

    for option in --required --children=forked; do
        check "$option"
        [[ $status -eq 1 && $(json "j['verdict']") == no ]] || wrong "the answer is not no: $(<"$own/json")"
        [[ $(json "j['cause']") == "$1" ]] || wrong "the cause is not $1: $(<"$own/json")"
        [[ $(json "j['findings'][0]['name']") == "$1" ]] || wrong "the first finding is not the cause"
        remedy=$(json "j['remedy'] or ''")
        [[ $remedy =~ ${2-.{8,\}} ]] || wrong "the remedy '$remedy' does not match '${2-}'"
    done
    check --required
    agrees_that_it_fails
}

# works: --check answers 0, and so does the launch.
works() {
    check --required
    [[ $status -eq 0 && $(json "j['verdict']") == yes && $(json "j['cause']") == None ]] || wrong "the answer is not yes: $(<"$own/json")"
    launch --required --verbose
    launch_locks || wrong "--check said yes, and the launch did not lock"
}

cannot_tell() {
    check --required
    [[ $status -eq 125 && $(json "j['verdict']") == unknown ]] || wrong "the answer is not 'cannot tell': $(<"$own/json")"
    [[ $(json "j['cause']") == "$1" ]] || wrong "the cause is not $1: $(<"$own/json")"
}

# --- places ---------------------------------------------------------------------------------------------------------------

# As on bare metal, also where the tests run in a container: a root without the files that its engine has left there.
on_bare_metal() {
    requires mount_namespaces
    within+=(env -u KUBERNETES_SERVICE_HOST -u INVOCATION_ID unshare --mount sh -euc '
        root=$1/root
        shift
        mkdir -p "$root"
        mount -t tmpfs tmpfs "$root"
        for file in /*; do
            if [ -L "$file" ]; then
                cp -P "$file" "$root$file"
            elif [ -d "$file" ] && [ "$file" != /run ]; then
                mkdir "$root$file"
                mount --rbind "$file" "$root$file"
            fi
        done
        exec chroot "$root" "$@"' sh "$own")
}

lacking_bare_metal() {
    [[ ! -e /var/run/secrets/kubernetes.io/serviceaccount ]] || echo "a Kubernetes container"
    [[ ! -e /run/host/container-manager ]] || echo "a container"
}

# A group below our own in the v1 hierarchy, in $group.
lacking_memory_group() {
    memory_group_parent >/dev/null || echo "no writable v1 memory hierarchy"
}

memory_group_parent() {
    local point path folder

    point=$(awk '$0 ~ / - cgroup / && $NF ~ /(^|,)memory(,|$)/ { print $5; exit }' /proc/self/mountinfo)
    path=$(awk -F: '$2 ~ /(^|,)memory(,|$)/ { print $3 }' /proc/self/cgroup)
    for folder in "$point$path" "$point"; do
        [[ -n $point && -w $folder/cgroup.procs ]] || continue
        echo "$folder"
        return
    done
    return 1
}

in_memory_group() {
    requires memory_group "vm/scenarios/check.sh has version 2"
    group=$(memory_group_parent)/duende-check.$$
    mkdir "$group"
    echo "$1" >"$group/memory.limit_in_bytes"
    within+=(sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$group")
}

remove_group() {
    [[ -z ${group:-} ]] || wait_for 5 rmdir "$group" || echo "left behind: $group" >&2
}

file_capability() {
    requires ipc_lock
    requires setfcap
    requires file_privileges
    private_pair
    setcap "cap_ipc_lock+$1" "$launcher"
    as_user
}

# program_with BALLAST: a dynamic program with that much BSS.
program_with() {
    gcc -std=gnu17 -O1 -D_GNU_SOURCE "-DBALLAST=($1)" "$TESTS/fixtures/reached.c" -o "$own/reached"
    command[0]=$own/reached
}

# --- it works -------------------------------------------------------------------------------------------------------------

@test "root with the capability: yes, with the risk of a change of user" {
    requires ipc_lock
    works
    check
    assert_equal "$status" 0
    assert_finding user-change risk
    assert_finding hard-limit note
    assert_equal "$(json "j['plan']['action']")" preload
    assert_equal "$(json "j['cap_ipc_lock']['honoured']")" true
}

@test "the capability is ambient, as a user: yes" {
    as_user_with_ambient_capability
    works
    check
    assert_equal "$(json "[f['name'] for f in j['findings'] if f['severity'] != 'note']")" '[]'
}

@test "without COMMAND: whether any ordinary program could be locked" {
    requires ipc_lock
    run "${within[@]}" "$launcher" --no-config --check
    assert_success
    assert_line --regexp '^verdict +locking would work$'
    refute_output --partial forecast
    without_capability
    run "${within[@]}" "$launcher" --no-config --check
    assert_equal "$status" 1
    assert_line --regexp '^cause +capability-not-in-bounding-set: '
    assert_line --regexp '^remedy +.{8}'
}

@test "the table names the calls that are refused, and has no plan where nothing can be asked" {
    requires ipc_lock
    within+=("$programs/filter" setpriority=EPERM ptrace=ENOSYS --)
    run "${within[@]}" "$launcher" --no-config --check -- "${command[@]}"
    assert_success
    assert_line --regexp '^confinement +seccomp filter \(ptrace ENOSYS, setpriority EPERM\)'
    assert_line --regexp '^plan +preload'
    begin_row
    under_filter mlock kill
    run "${within[@]}" "$launcher" --no-config --check -- "${command[@]}"
    assert_equal "$status" 1
    assert_line --regexp '^confinement .*mlock SIGSYS'
    refute_line --regexp '^plan '
}

@test "--lock-timeout longer than the rehearsal waits for, and a static program: yes" {
    requires ipc_lock
    program_is reached-static
    options=(--lock-timeout=60)
    works
}

@test "--expect: the end of the chain is only shown by the launch" {
    requires ipc_lock
    local last=${command[0]}

    options=("--expect=$last")
    command=(sh -c 'exec "$@"' sh "${command[@]}")
    check --required
    [[ $status -eq 0 ]] || wrong "the answer is not yes: $(<"$own/json")"
    assert_finding expect note
    [[ $(finding expect text) == *"$last" ]] || wrong "it does not name the program"
}

@test "--quiet: the status alone" {
    requires ipc_lock
    run "${within[@]}" "$launcher" --no-config --check --quiet true
    assert_success
    assert_output ''
    without_capability
    run "${within[@]}" "$launcher" --no-config --check --quiet true
    assert_equal "$status" 1
    assert_output ''
}

@test "what contradicts --check is a usage error" {
    local words

    for words in '--check --dry-run true' '--check --status 1' '--check --json --quiet true' '--check --prometheus true' '--check --lock=no'; do
        # shellcheck disable=SC2086 # several words
        run "$launcher" --no-config $words
        assert_equal "$words: $status" "$words: 125"
    done
}

@test "full standard output is an error, not an answer" {
    run sh -c '"$1" --no-config --check true >/dev/full' sh "$launcher"
    assert_equal "$status" 125
    assert_output --partial 'standard output'
}

@test "nothing is left behind and nothing of the caller changes" {
    local before after state='ulimit -Sl; ulimit -Hl; ulimit -s; cat /proc/$$/oom_score_adj; grep -E "^(Cap|NoNew|VmLck)" /proc/$$/status; nice'

    before=$("${within[@]}" sh -c "$state")
    after=$("${within[@]}" "$programs/alone" sh -c '"$1" --no-config --check -r --io-flusher --oom-score-adj=500 --realtime --user=1000 busybox >/dev/null; '"$state" sh "$launcher")
    assert_equal "$after" "$before"
}

# --- limits ---------------------------------------------------------------------------------------------------------------

@test "a user and a finite limit: the capability is missing and the hard limit in the way" {
    as_user
    fails capability-missing
    assert_equal "$(json "j['memlock']['hard_bytes']")" 8388608
    check
    assert_finding hard-limit blocks
    [[ -z $(finding soft-limit severity) ]] || wrong "a soft limit that is the hard one"
}

@test "a user and a finite limit: the remedy of bare metal works" {
    requires unlimited_memlock "vm/scenarios/check.sh has it too"
    requires bare_metal
    within=(setpriv --bounding-set=-sys_resource)
    on_bare_metal
    within=(prlimit --memlock=8388608 "${within[@]}")
    as_user
    fails capability-missing 'prlimit --pid \$\$ --memlock=unlimited'
    within[1]=--memlock=unlimited
    works
}

@test "a soft limit below the hard one: named, and raised by the launch" {
    limit 65536:8388608
    as_user
    fails capability-missing
    check
    assert_finding soft-limit note
    [[ $(finding soft-limit text) == *'64 kB'*'8192 kB'* ]] || wrong "both limits are not named"
}

@test "a budget that duende-run itself exceeds: the soft limit, and a larger one works" {
    as_user
    options=(--memlock=256K)
    check --required
    assert_equal "$(json "j['cause']")" soft-limit
    assert_equal "$(json "j['remedy']")" 'name a larger --memlock'
    agrees_that_it_fails
    options=(--memlock=8M)
    works
}

@test "a budget that COMMAND exceeds by the forecast: the soft limit, and the size of the remedy works" {
    as_user
    program_with '2 << 20'
    options=(--memlock=4M)
    check --required
    assert_equal "$(json "j['cause']")" soft-limit
    remedy=$(json "j['remedy']")
    [[ $remedy =~ ^(--memlock=[0-9]+M)\ or\ more$ ]] || wrong "the remedy is '$remedy'"
    agrees_that_it_fails
    options=("${BASH_REMATCH[1]}")
    works
}

@test "a budget above the hard limit: the hard limit, and a budget below it works" {
    as_user
    options=(--memlock=1T)
    check --required
    assert_equal "$(json "j['cause']")" hard-limit
    [[ $(json "j['remedy']") == 'name at most the hard limit'* ]] || wrong "$(json "j['remedy']")"
    agrees_that_it_fails
    options=(--memlock=8M)
    works
    assert_finding_after_check soft-limit risk
}

assert_finding_after_check() {
    check --required
    assert_finding "$@"
}

# --- the capability -------------------------------------------------------------------------------------------------------

@test "not in the bounding set: named, and a root shell that has the capability works" {
    requires ipc_lock
    requires bare_metal
    on_bare_metal
    local place=("${within[@]}")

    without_capability
    fails capability-not-in-bounding-set '^start it from a root shell that has CAP_IPC_LOCK'
    check
    assert_finding capability-missing blocks
    within=("${place[@]}")
    works
}

@test "permitted, neither effective nor ambient: named, and --user with the present ID works" {
    file_capability p
    fails capability-not-ambient '--user'
    check
    assert_finding capability-not-effective note
    options=("--user=$USER_ID")
    works
}

@test "effective, not ambient: named, and --user with the present ID works" {
    file_capability ep
    fails capability-not-ambient '--user'
    options=("--user=$USER_ID")
    works
}

@test "no_new_privs against the file capabilities of duende-run: named, and the remedy works" {
    requires bare_metal
    on_bare_metal
    file_capability ep
    local place=("${within[@]}")

    within+=(setpriv --no-new-privs)
    fails no-new-privileges '^start it without no_new_privs, and add --user'
    assert_equal "$(json "j['user']['no_new_privs']")" true
    within=("${place[@]}")
    options=("--user=$USER_ID")
    works
}

@test "a nosuid mount against the file capabilities of duende-run: named, and the remedy works" {
    requires ipc_lock
    requires setfcap
    private_pair
    in_mounts 'mount -t tmpfs -o nosuid,mode=755 tmpfs "$row"; cp "'"$ground"'/pair/"* "$row"; setcap cap_ipc_lock+ep "$row/duende-run"'
    local mounts=("${within[@]}")

    launcher=$own/duende-run
    as_user
    fails nosuid 'without nosuid, and add --user'
    within=("${mounts[@]//-o nosuid,/-o suid,}")
    as_user
    options=("--user=$USER_ID")
    works
}

@test "a user namespace: named, and only the host can lift it" {
    requires user_namespaces
    within+=(unshare --user --map-root-user)
    fails user-namespace '^only the (host|node) can lift it'
    check
    assert_equal "$(json "j['user']['user_namespace']")" true
    assert_equal "$(json "j['cap_ipc_lock']['effective']")" true
    assert_equal "$(json "j['cap_ipc_lock']['honoured']")" false
}

@test "a user namespace: the limit raised before it works" {
    requires user_namespaces
    requires unlimited_memlock "vm/scenarios/check.sh has it too"
    within=(prlimit --memlock=unlimited unshare --user --map-root-user)
    works
}

# --- seccomp --------------------------------------------------------------------------------------------------------------

@test "a seccomp filter refuses mlockall: named with its answer, and without the filter it works" {
    local answer place

    requires ipc_lock
    place=("${within[@]}")
    for answer in EPERM ENOSYS EINVAL; do
        within=("${place[@]}")
        under_filter mlockall "$answer"
        fails seccomp 'allow it|RuntimeDefault|@memlock'
        check
        [[ $(finding seccomp text) == *"mlockall with $answer" ]] || wrong "$(finding seccomp text)"
        assert_equal "$(json "j['calls']['mlockall']")" "$answer"
    done
    within=("${place[@]}")
    works
}

@test "a seccomp filter kills for mlockall: named, and nothing of --check dies" {
    requires ipc_lock
    under_filter mlockall kill
    fails seccomp
    check
    assert_equal "$(json "j['calls']['mlockall']")" SIGSYS
    [[ -z $(find "$own" -name 'core*') ]] || wrong "a core file was written"
}

@test "a seccomp filter never answers mlockall: named, in bounded time" {
    requires ipc_lock
    under_filter mlockall hang
    SECONDS=0
    check --required
    assert_equal "$(json "j['cause']")" seccomp
    assert_equal "$(json "j['calls']['mlockall']")" hangs
    [[ $SECONDS -lt 30 ]] || wrong "it took $SECONDS s"
}

@test "a seccomp filter refuses mlock: named, where the launch sees but a capability that is not honoured" {
    local answer place

    requires ipc_lock
    place=("${within[@]}")
    for answer in EPERM ENOSYS kill; do
        within=("${place[@]}")
        under_filter mlock "$answer"
        fails seccomp
    done
    within=("${place[@]}")
    works
}

@test "a seccomp filter refuses prlimit64: named" {
    requires ipc_lock
    under_filter prlimit64 EPERM
    fails seccomp
    check
    assert_equal "$(json "j['memlock']['soft_bytes']")" None
}

@test "a seccomp filter refuses ptrace: named for a static program, a note for others" {
    local answer

    requires ipc_lock
    for answer in EPERM ENOSYS kill; do
        begin_row
        under_filter ptrace "$answer"
        works
        assert_finding_after_check seccomp-other note
        program_is reached-static
        fails seccomp
    done
}

@test "a seccomp filter refuses what a change of user or --realtime needs: named" {
    requires ipc_lock
    under_filter setresuid EPERM
    options=(--user="$USER_ID")
    check --required
    assert_equal "$(json "j['cause']")" seccomp
    begin_row
    under_filter setresuid kill
    options=(--user="$USER_ID")
    check --required
    assert_equal "$(json "j['cause']")" seccomp
    begin_row
    under_filter sched_setscheduler EPERM
    options=(--realtime)
    check --required
    assert_equal "$(json "j['cause']")" seccomp
    agrees_that_it_fails
}

@test "real-time scheduling is refused to who has the right: the capability is not blamed" {
    requires sys_nice
    run -120 "$programs/filter" sched_setscheduler=EPERM -- "$DUENDE" --no-config --required --realtime -- "$programs/reached" "$marker" 37
    assert_output --partial 'its control group has no budget in cpu.rt_runtime_us, or a seccomp filter refuses it'
    refute_output --partial 'CAP_SYS_NICE, or'
}

@test "a seccomp filter refuses setpriority, which no launch needs: a note" {
    requires ipc_lock
    under_filter setpriority kill
    works
    assert_finding_after_check seccomp-other note
}

# --- kernel and /proc -----------------------------------------------------------------------------------------------------

@test "a kernel without MCL_ONFAULT: named, and --lock=full works" {
    requires ipc_lock
    under_filter mlockall-onfault EINVAL
    options=(--lock=on-fault)
    fails kernel-too-old '^use --lock=full$'
    check
    assert_equal "$(json "j['kernel']['mcl_onfault']")" false
    options=(--lock=full)
    works
    assert_finding_after_check kernel-too-old note
}

@test "a seccomp filter allows mlockall with MCL_ONFAULT alone: named, and --lock=on-fault works" {
    requires ipc_lock
    under_filter mlockall-at-once EPERM
    fails seccomp 'seccomp'
    options=(--lock=on-fault)
    works
}

@test "a kernel without PR_SET_IO_FLUSHER: named where it is asked for, and it works without" {
    requires ipc_lock
    under_filter io-flusher EINVAL
    options=(--io-flusher)
    check --required
    assert_equal "$(json "j['cause']")" io-flusher
    [[ $(json "j['reason']") == *'since 5.6'* ]] || wrong "$(json "j['reason']")"
    assert_equal "$(json "j['kernel']['io_flusher']")" false
    agrees_that_it_fails
    # Without --required it is a risk: COMMAND would be locked.
    check
    assert_equal "$status" 0
    assert_finding io-flusher risk
    options=()
    works
}

@test "no /proc: named, and the command of the remedy works" {
    local place remedy

    requires ipc_lock
    place=("${within[@]}")
    in_mounts 'mount -t tmpfs tmpfs /proc'
    fails no-proc '^mount -t proc proc /proc$'
    within=("${place[@]}")
    in_mounts "mount -t tmpfs tmpfs /proc; $remedy"
    works
}

@test "children cannot be started: it cannot be told" {
    within=(prlimit --nproc=1 "${within[@]}")
    as_user
    run "${within[@]}" "$launcher" --no-config --check --json true
    assert_equal "$status" 125
    assert_output --partial '"cause":"fork"'
}

# --- COMMAND --------------------------------------------------------------------------------------------------------------

@test "a static program: locked by the tracer, with the hint that children lose the lock" {
    requires ipc_lock
    program_is reached-static
    works
    assert_finding_after_check static risk
    assert_equal "$(json "j['plan']['action']")" inject
    check --children=none
    [[ -z $(finding static severity) ]] || wrong "a hint about children that nobody asked for"
}

@test "a static program and --method=preload: named, and without that option it works" {
    requires ipc_lock
    program_is reached-static
    options=(--method=preload)
    fails static '^leave out --method=preload$'
    options=()
    works
}

@test "a set-user-ID program: named, and CAP_SYS_PTRACE works" {
    requires ipc_lock
    requires file_privileges
    private_program reached
    chmod 4755 "$copy"
    local place=("${within[@]}")

    as_user_with_ambient_capability
    fails set-id 'start duende-run with CAP_SYS_PTRACE'
    within=("${place[@]}")
    as_user --inh-caps=+ipc_lock,+sys_ptrace --ambient-caps=+ipc_lock,+sys_ptrace
    works
    assert_finding_after_check set-id note
}

@test "a program that becomes another user than root: the capability is lost at execve" {
    requires ipc_lock
    requires file_privileges
    private_program reached
    chown "$USER_ID" "$copy"
    chmod 4755 "$copy"
    fails capability-lost 'memlock|MEMLOCK'
    private_program reached
    chgrp 1 "$copy"
    chmod 2755 "$copy"
    as_user --inh-caps=+ipc_lock,+sys_ptrace --ambient-caps=+ipc_lock,+sys_ptrace
    fails capability-lost 'memlock|MEMLOCK'
}

@test "a program whose own file capabilities have CAP_IPC_LOCK keeps it" {
    requires ipc_lock
    requires setfcap
    requires file_privileges
    private_program reached
    setcap cap_ipc_lock+ep "$copy"
    as_user --inh-caps=+ipc_lock,+sys_ptrace --ambient-caps=+ipc_lock,+sys_ptrace
    works
    setcap cap_chown+ep "$copy"
    fails capability-lost 'memlock|MEMLOCK'
}

@test "a program with file capabilities: named" {
    as_user_with_ambient_capability
    requires setfcap
    requires file_privileges
    private_program reached
    setcap cap_ipc_lock+ep "$copy"
    fails file-capabilities 'start duende-run with CAP_SYS_PTRACE'
}

@test "a set-user-ID program on a nosuid mount, or under no_new_privs: its bit does not count" {
    requires ipc_lock
    local place=("${within[@]}")

    in_mounts 'mount -t tmpfs -o nosuid tmpfs "$row"; install -m 4755 -o 1 "'"$programs"'/reached" "$row/reached"'
    command[0]=$own/reached
    check
    assert_finding nosuid note
    within=("${place[@]}" setpriv --no-new-privs)
    private_program reached
    chown 1 "$copy"
    chmod 4755 "$copy"
    check
    assert_finding no-new-privileges note
}

@test "a program with an unknown loader: locked by the tracer, named with --method=preload" {
    requires ipc_lock
    program_is reached-strange
    works
    assert_finding_after_check unknown-loader note
    options=(--method=preload)
    fails unknown-loader '^leave out --method=preload$'
}

@test "a program of another architecture: named" {
    requires ipc_lock
    cp "$TESTS/fuzz/corpus/elf/static-aarch64" "$own/foreign"
    chmod 755 "$own/foreign"
    command[0]=$own/foreign
    check --required
    assert_equal "$status $(json "j['cause']")" '1 foreign-abi'
}

@test "real and effective user differ: locked by the tracer, named with --method=preload" {
    requires ipc_lock
    within+=(setpriv "--ruid=$USER_ID")
    options=(--method=preload)
    fails ids-differ '--user'
    options=(--user=0)
    works
}

@test "the helper is missing, or on a noexec mount: named, and elsewhere it works" {
    requires ipc_lock
    options=(--method=preload)
    private_pair
    rm "$copy"
    fails helper '^copy it there'
    cp "$ground/pair/$HELPER_NAME" "$copy"
    works
    begin_row
    in_mounts 'mount -t tmpfs -o noexec tmpfs "$row"; install -m 644 "'"$ground/pair/$HELPER_NAME"'" "$row/helper.so"'
    options=("--helper=$own/helper.so" --method=preload)
    fails helper 'without noexec$'
    options=(--method=preload)
    works
}

@test "COMMAND is not there, may not be executed, or is of no known kind" {
    requires ipc_lock
    command=("$own/none")
    check
    assert_equal "$status $(json "j['cause']")" '1 not-found'
    printf 'x' >"$own/none"
    check
    assert_equal "$status $(json "j['cause']")" '1 cannot-execute'
    chmod 755 "$own/none"
    cannot_tell unknown-format
}

@test "COMMAND may be executed but not read: it cannot be told" {
    requires ipc_lock
    private_program reached
    chmod 711 "$copy"
    options=("--user=$USER_ID")
    cannot_tell unreadable
}

@test "a user that is not known is a usage error" {
    run "$launcher" --no-config --check --user=no-such-user true
    assert_equal "$status" 125
}

@test "lock_memory = false: nothing would be locked" {
    requires ipc_lock
    printf '[resources]\nlock_memory = false\n' >"$own/duende.conf"
    run "${within[@]}" "$launcher" --config="$own/duende.conf" --check true
    assert_equal "$status" 1
    assert_line --regexp '^cause +lock-memory-off: '
}

# --- control groups -------------------------------------------------------------------------------------------------------

@test "a memory limit of the control group below what COMMAND needs: named, and the size of the remedy works" {
    requires ipc_lock
    requires bare_metal
    in_memory_group $((12 << 20))
    on_bare_metal
    program_is reached-large
    fails memory-max '^raise it to [0-9]+M or more$'
    [[ $remedy =~ ([0-9]+)M ]]
    echo "${BASH_REMATCH[1]}M" >"$group/memory.limit_in_bytes"
    works
}

@test "a memory limit of the control group that the stack may exceed: a risk" {
    requires ipc_lock
    in_memory_group $((24 << 20))
    program_is reached-large
    works
    assert_finding_after_check memory-max risk
    assert_equal "$(json "j['cgroup']['max']['bytes']")" $((24 << 20))
    assert_equal "$(json "j['cgroup']['version']")" 1
}

@test "a limit of memory and swap together: a note" {
    requires ipc_lock
    in_memory_group $((64 << 20))
    [[ -e $group/memory.memsw.limit_in_bytes ]] || skip "this kernel does not account swap"
    echo $((64 << 20)) >"$group/memory.memsw.limit_in_bytes"
    check
    assert_equal "$status" 0
    assert_finding memory-swap-max note
}

# --- the forecast ---------------------------------------------------------------------------------------------------------

# near ACTUAL FORECAST: in kB; to 15 percent, and what the libc takes for itself.
near() {
    local difference=$(($1 > $2 ? $1 - $2 : $2 - $1))

    [[ $difference -le $(($1 * 15 / 100 + 256)) ]] || fail "forecast $2 kB, actual $1 kB"
}

@test "the forecast is near what the kernel shows" {
    local name

    requires ipc_lock
    for name in reached reached-large reached-static reached-static-pie; do
        program_is "$name"
        check
        command[2]='wait'
        rm -f "$marker"
        start "${within[@]}" "$launcher" --no-config --required --quiet -- "${command[@]}"
        wait_for 5 test -s "$marker" || fail "main() was not reached: $(<"$scratch/process.err")"
        near "$(vm_kib "$pid" VmSize)" $(($(json "j['forecast']['address_space_bytes']") / 1024))
        near "$(vm_kib "$pid" RssAnon)" $(($(json "j['forecast']['anonymous_bytes'] + 135168") / 1024))
        stop_processes
    done
}

@test "libraries are found by name, by the loader's cache, by musl's path file, and missing ones are named" {
    requires ipc_lock
    printf 'int lib(void) { return 0; }\n' >"$own/lib.c"
    printf 'int lib(void);\nint main(void) { return lib(); }\n' >"$own/main.c"
    gcc -shared -fPIC "$own/lib.c" -o "$own/libown.so"
    gcc "$own/main.c" -L"$own" -lown '-Wl,-rpath,$ORIGIN' -o "$own/program"
    command=("$own/program")
    check
    # Program, loader, helper, libown.so, libc.so.6.
    assert_equal "$(json "j['forecast']['files']") $(json "j['forecast']['missing_libraries']")" '5 0'
    mv "$own/libown.so" "$own/elsewhere.so"
    check
    assert_equal "$(json "j['forecast']['files']") $(json "j['forecast']['missing_libraries']")" '4 1'
    assert_finding library-missing risk
    [[ $(finding library-missing text) == *libown.so* ]] || wrong "$(finding library-missing text)"
}

lacking_musl() { lacking_commands musl-gcc; }

@test "a program with musl's loader: it is the libc, and counted once" {
    requires ipc_lock
    requires musl
    printf 'int main(void) { return 0; }\n' >"$own/main.c"
    musl-gcc "$own/main.c" -o "$own/program"
    command=("$own/program")
    check
    assert_equal "$status" 0
    assert_equal "$(json "j['forecast']['files']") $(json "j['forecast']['missing_libraries']")" '3 0'
}

# --- the schema -----------------------------------------------------------------------------------------------------------

# keys [all]: the outermost keys, or every key but the names of system calls.
keys() {
    python3 -c 'import json, sys
def walk(value):
    if isinstance(value, dict):
        for key in value:
            yield key
            if len(sys.argv) > 2 and key != "calls":
                yield from walk(value[key])
    elif isinstance(value, list) and value:
        yield from walk(value[0])
print("\n".join(sorted(set(walk(json.load(open(sys.argv[1])))))))' "$own/json" "$@"
}

lacking_mandoc() { lacking_commands mandoc; }

# The subsection of the manual page, as a reader sees it.
documented() {
    mandoc -T utf8 -O width=200 "$REPO/man/duende-run.1" | sed 's/.\x08//g' | awk -v name="$1" '
        /^[^ ]/ { inside = $0 == "CHECK"; wanted = 0 }
        inside && /^   [^ ]/ { wanted = index($0, name) }
        wanted'
}

@test "the JSON has the keys that the manual page documents, and the manual page those of the JSON" {
    requires ipc_lock
    requires mandoc
    local key

    check
    documented JSON >"$own/page"
    diff -u <(sed -nE 's/^ {7}([a-z_]+)  .*/\1/p' "$own/page" | sort) <(keys) || fail "only one of both has these keys"
    for key in $(keys all); do
        grep -qwF -- "$key" "$own/page" || fail "the manual page lacks $key"
    done
}

@test "every name of a cause is in the manual page, and the other way round" {
    requires mandoc
    diff -u <(documented Causes | sed -nE 's/^ {7}([a-z-]+)  .*/\1/p' | sort) <(names_in_source) || fail "only one of both has these names"
}

# The names that the sources give to findings.
names_in_source() {
    {
        sed -n '/^const char \*cause_name/,/^}/p' "$REPO/src/launcher/remedy.c" | sed -nE 's/.*= "([a-z-]+)".*/\1/p' | grep -vx none
        sed -n '/^const char \*attribute_name/,/^}/p' "$REPO/src/launcher/attributes.c" | grep -oE '"[a-z-]+"'
        cat "$REPO"/src/launcher/check_{findings,swap_device}.c | tr -d '\n\t' | grep -oE 'check_add\(verdict, ?("[a-z-]+"|[^,]*\? ?"[a-z-]+" ?: ?"[a-z-]+")' | grep -oE '"[a-z-]+"'
        tr -d '\n\t' <"$REPO/src/launcher/check_judge.c" | grep -oE '(conclude\(verdict, ?CHECK_[A-Z]+, ?|return |[?:] ?)"[a-z-]+"' | grep -oE '"[a-z-]+"' | grep -vE '"(a|the|none)"'
    } | tr -d '"' | sort -u
}
