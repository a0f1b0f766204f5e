# SPDX-License-Identifier: Apache-2.0 OR MIT
# What fail_closed.bats needs beyond helpers.bash. A row of its table is a place, a COMMAND and options:
#
#     within    what is put before the launcher: the place in which it starts
#     launcher  which launcher
#     options   what it is told beyond --required, -q and -v
#     command   COMMAND; a program that creates $marker and exits with 37
#     bystander a regular expression of the warnings that are right in both ways and are not counted
#
# and one of: fails_closed (refused with --required, else run with one warning), refused, warned, locks.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of bats and helpers.bash, and variables for the suite

# The status of every COMMAND of this suite.
OWN_STATUS=37
# A launch as an ordinary user.
USER_ID=1000

# --- the ground -----------------------------------------------------------------------------------------------------------

# One folder that every user can reach, unlike those of bats, with copies of launcher, helper and programs.
make_ground() {
    ground=$(mktemp -d /tmp/duende-fail-closed.XXXXXX)
    chmod 755 "$ground"
    mkdir -m 1777 "$ground/markers"
    export ground
    "$TESTS/fixtures/build-fail-closed.sh" "$ground/programs"
    copy_pair "$ground/pair"
}

remove_ground() { [[ ${ground:-} != /tmp/duende-fail-closed.?* ]] || rm -rf "$ground"; }

# A row begins as root with every capability that the test itself has, but for the one that lifts limits, and 8 MiB to lock.
begin_row() {
    programs=$ground/programs
    own=$ground/row
    rm -rf "$own"
    mkdir -m 755 "$own"
    marker=$ground/markers/reached
    launcher=$ground/pair/duende-run
    within=(prlimit --memlock=8388608 setpriv --bounding-set=-sys_resource)
    options=()
    command=("$programs/reached" "$marker" "$OWN_STATUS")
    bystander=
}

# --- places ---------------------------------------------------------------------------------------------------------------

# The value that prlimit --memlock takes: bytes, or soft:hard.
limit() { within[1]=--memlock=$1; }

# Root without the capability: execve leaves out what the bounding set has not.
without_capability() { within+=(setpriv --bounding-set=-ipc_lock); }

as_user() { within+=(setpriv "--reuid=$USER_ID" "--regid=$USER_ID" --clear-groups "$@"); }

as_user_with_ambient_capability() {
    requires ipc_lock
    as_user --inh-caps=+ipc_lock --ambient-caps=+ipc_lock
}

# in_mounts COMMANDS: a mount namespace in which the shell has run COMMANDS; $1 is the row's folder there.
in_mounts() {
    requires mount_namespaces
    # shellcheck disable=SC2016 # expanded by the inner shell
    within+=(unshare --mount sh -euc "row=\$1; shift; $1; exec \"\$@\"" sh "$own")
}

# under_filter CALL ANSWER: see fixtures/filter.c.
under_filter() { within+=("$programs/filter" "$1=$2" --); }

# --- programs and helpers -------------------------------------------------------------------------------------------------

# program_is NAME: another of the programs that create $marker. private_program NAME: a copy of it, in $copy, that the row may change.
program_is() { command[0]=$programs/$1; }

private_program() {
    copy=$own/$1
    install -m 755 "$programs/$1" "$copy"
    command[0]=$copy
}

# private_pair [FOLDER]: a launcher with a helper beside it, in $copy, which the row may change.
private_pair() {
    local folder=${1:-$own/pair}

    copy_pair "$folder"
    launcher=$folder/duende-run
    copy=$folder/$HELPER_NAME
}

# overwrite FILE OFFSET BYTES: BYTES as printf(1) writes them.
overwrite() {
    # shellcheck disable=SC2059 # it is a format: escapes for bytes
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# Where the helper's note (src/preload/contract.h) has its version: behind three lengths and the owner's name.
version_offset() {
    local offsets

    mapfile -t offsets < <(LC_ALL=C grep -obUaP '\x07\0\0\0\x04\0\0\0\x01\0\0\0duende\0\0' "$1")
    [[ ${#offsets[@]} -eq 1 ]] || fail "$1 has ${#offsets[@]} notes of duende, not one"
    echo $((${offsets[0]%%:*} + 20))
}

# --- launches -------------------------------------------------------------------------------------------------------------

# launch [OPTION]...: leaves status, $marker and the files out and err in the row's folder.
launch() {
    rm -f "$marker"
    status=0
    launched="$* ${options[*]} -- ${command[*]}"
    (
        cd "$own"
        exec "$programs/alone" "${within[@]}" "$launcher" --no-config "${options[@]}" "$@" -- "${command[@]}"
    ) >"$own/out" 2>"$own/err" </dev/null 3>&- || status=$?
    read_lines
}

# said: the lines on stderr that count.
read_lines() {
    local line lines

    said=()
    mapfile -t lines <"$own/err"
    for line in "${lines[@]}"; do
        [[ -n $bystander && $line =~ $bystander ]] || said+=("$line")
    done
}

# wrong WHAT: fails with all that is known of the launch.
wrong() {
    fail "$1
launch: ${within[*]} duende-run $launched
status: $status
marker: $(if [[ -e $marker ]]; then tr '\n\t' '  ' <"$marker"; else echo none; fi)
stdout: $(<"$own/out")
stderr: $(<"$own/err")"
}

one_line_says() {
    local expression

    [[ ${#said[@]} -eq 1 ]] || wrong "${#said[@]} lines on stderr, not one"
    for expression; do
        [[ ${said[0]} =~ $expression ]] || wrong "the line does not say '$expression'"
    done
}

nothing_else_happened() {
    [[ ! -s $own/out ]] || wrong "something was written to stdout"
    [[ "${said[*]}" != *"cannot be preloaded"* ]] || wrong "the loader was heard"
}

# A remedy stands behind the last semicolon.
REMEDY='; [^;]{8,}$'

assert_refused() {
    [[ ! -e $marker ]] || wrong "main() ran"
    [[ $status -eq 120 ]] || wrong "the status is not 120"
    nothing_else_happened
    one_line_says '^duende-run: ' "$@"
    [[ ${said[0]} != *warning* ]] || wrong "a warning, where it is an error"
}

assert_command_ran() {
    [[ -e $marker ]] || wrong "main() did not run"
    [[ $status -eq $OWN_STATUS ]] || wrong "the status is not COMMAND's own"
    nothing_else_happened
}

# What the warning claims is what the kernel shows: VmLck is in the marker, but for programs that cannot read it.
assert_warned() {
    local locked

    assert_command_ran
    one_line_says '^duende-run: warning: ' "$@"
    locked=$(awk '$1 == "VmLck:" { print $2 }' "$marker")
    [[ -n $locked ]] || return 0
    if [[ ${said[0]} == *"only what is mapped "* ]]; then
        [[ $locked -gt 0 ]] || wrong "nothing is locked"
    else
        [[ $locked -eq 0 ]] || wrong "something is locked"
    fi
}

assert_silent() {
    assert_command_ran
    [[ ! -s $own/err ]] || wrong "-q, and yet something was said"
}

# Each of these: EXPRESSION for every thing that the one line has to say. -v is there for what it might claim wrongly.
refused() {
    launch --required --verbose
    assert_refused "$@"
    launch --required --quiet
    assert_refused "$@"
}

warned() {
    launch --verbose
    assert_warned "$@"
    launch --quiet
    assert_silent
}

fails_closed() {
    refused "$@"
    warned "$@"
}

# --required, and it works: the kernel's own evidence of a COMMAND that stays.
locks() {
    launch --required --verbose
    assert_command_ran
    [[ $(grep -c 'locked (full)' "$own/err") -eq 1 ]] || wrong "no proof was reported"
    rm -f "$marker"
    command[2]='wait'
    start "${within[@]}" "$launcher" --no-config "${options[@]}" --required --quiet -- "${command[@]}"
    wait_for 5 test -s "$marker" || fail "main() was not reached: $(<"$scratch/process.err")"
    assert_locked "$pid"
}

# --- what a row needs -----------------------------------------------------------------------------------------------------

lacking_eight_mib_to_lock() {
    local hard

    hard=$(ulimit -Hl)
    [[ $hard == unlimited || $hard -ge 8192 ]] || lacking_sys_resource
}

# The dynamic launcher cannot even start where the row forbids what its loader does.
lacking_static_launcher() {
    if readelf -lW "$DUENDE" | grep -q INTERP; then echo "the launcher is dynamic"; fi
}

lacking_i386_helper() { [[ -e $BUILD/duende-preload.i386.so ]] || echo "duende-preload.i386.so was not built"; }
