#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A daemon that uses libduende: built as its users build it, from an installed tree, it locks its memory, and knows whether it
# is locked, as the kernel's evidence says; a lock that would be a time bomb is refused, and other threads notice nothing.

# shellcheck disable=SC2030,SC2031,SC2154 # variables of bats

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

header=$REPO/src/libduende/include/duende/memory.h
manual=$REPO/man/duende_memory.3
strict=(-Wall -Wextra -Wconversion -pedantic -Werror)

# The installed tree, and programs that every user may run, are made once.
setup_file() {
    places=$(mktemp -d)
    export places
    chmod 755 "$places"
    DESTDIR=$places/stage cmake --install "$BUILD" --component libduende >"$places/install.log" ||
        fail "libduende is not built in $BUILD"
    # It may be moved as a whole: it is, so that nothing may still point to where it was.
    mv "$places/stage$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$BUILD/CMakeCache.txt")" "$places/tree"
    rm -rf "$places/stage"
    PKG_CONFIG_PATH=$(dirname "$(find "$places/tree" -name duende.pc)")
    library_folder=$(dirname "$(find "$places/tree" -name libduende.a)")
    export PKG_CONFIG_PATH library_folder
    build_with_pkg_config "$TESTS/fixtures/library.c" "$places/shared"
    build_with_pkg_config "$TESTS/fixtures/library.c" "$places/static" --static -static
    build_with_pkg_config "$TESTS/fixtures/library_threads.c" "$places/threads"
    gcc -O1 "$TESTS/fixtures/filter.c" -o "$places/filter"
}

teardown_file() { rm -rf "$places"; }

setup() {
    common_setup
    daemon=$places/static
    export LD_LIBRARY_PATH=$library_folder
}

# build_with_pkg_config SOURCE PROGRAM [OPTION OF PKG-CONFIG] [FLAG]...
build_with_pkg_config() {
    local flags

    read -r -a flags <<<"$(pkg-config ${3:+"$3"} --cflags --libs duende)"
    gcc -std=gnu17 -O1 -pthread "${strict[@]}" -Wno-pedantic "$1" -o "$2" "${flags[@]}" "${@:4}"
}

lacking_g++() { lacking_commands g++; }

lacking_clang() { lacking_commands clang clang++; }

lacking_thread_sanitizer() {
    gcc -fsanitize=thread -xc - -o "$scratch/sanitized" <<<'int main(void) { return 0; }' 2>/dev/null ||
        echo "gcc -fsanitize=thread does not link (libtsan)"
}

# Programs without any capability.
unprivileged=(setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs)

# daemon_says LINE...: what the daemon that was run has answered, and that there was nothing else.
daemon_says() {
    local expected

    printf -v expected '%s\n' "$@"
    assert_equal "$output
" "$expected"
    assert_equal "$stderr" ''
}

# daemon_runs [PREFIX]... : COMMAND...: the daemon's commands, to their end.
daemon_runs() {
    local prefix=()

    while [[ $1 != : ]]; do
        prefix+=("$1")
        shift
    done
    shift
    run --separate-stderr "${prefix[@]}" "$daemon" "$@" 3>&-
    assert_equal "$status" 0
}

has_answered() { [[ $(wc -l <"$scratch/process.out") -ge $1 ]]; }

# daemon_holds COUNT [PREFIX]... : COMMAND...: the daemon in the background, once it has given COUNT answers: $pid.
daemon_holds() {
    local count=$1 prefix=()

    shift
    while [[ $1 != : ]]; do
        prefix+=("$1")
        shift
    done
    start "${prefix[@]}" "$daemon" "${@:2}" hold
    wait_for 10 has_answered "$count" || fail "no $count answers: $(cat "$scratch"/process.*)"
}

descriptors() { (cd "/proc/$pid/fd" && echo *); }

answers() { cat "$scratch/process.out"; }

# --- what is installed ----------------------------------------------------------------------------------------------------

functions_of_header() { grep -oE '^int duende_[a-z_]+\(' "$header" | grep -oE 'duende_[a-z_]+' | sort; }

@test "the shared library exports the functions of its header and nothing else, and needs libc alone" {
    local library=$library_folder/libduende.so

    run -0 functions_of_header
    [[ ${#lines[@]} -eq 5 ]]
    assert_equal "$(nm -D --defined-only "$library" | awk '$2 == "T" { print $3 }' | sort)" "${output//$'\n'/@@DUENDE_0$'\n'}@@DUENDE_0"
    assert_equal "$(nm -D --defined-only "$library" | awk '$2 != "T" { print $3 }')" DUENDE_0
    assert_equal "$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')" libduende.so.0
    if grep -q '^DUENDE_INIH_ARCHIVE:FILEPATH=/' "$BUILD/CMakeCache.txt"; then
        # libc's own loader is named by some architectures.
        run -0 sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <(readelf -d "$library" | grep -v ld-linux)
        assert_output libc.so.6
    fi
    refute_regex "$(readelf -lW "$library" | grep GNU_STACK)" E
}

@test "the static library adds no other names to a daemon, which may have the same ones itself" {
    assert_equal "$(nm -g --defined-only "$library_folder/libduende.a" | awk 'NF == 3 { print $3 }' | sort)" "$(functions_of_header)"
    {
        echo '#include <stdlib.h>'
        for name in proof_read procfs_read failure_set failure_format config_file_parse smaps_feed memlock_raise; do
            echo "void $name(void); void $name(void) { abort(); }"
        done
    } >"$scratch/names.c"
    build_with_pkg_config "$TESTS/fixtures/library.c" "$scratch/program" --static "$scratch/names.c"
    printf '[resources]\nlock_memory = false\n' >"$scratch/daemon.toml"
    daemon=$scratch/program
    daemon_runs : "load=$scratch/daemon.toml" apply is-locked
    daemon_says '0 - 0 0 ' '0 disabled -' '0 -'
}

@test "the header is C99 and C++11 without a warning" {
    requires g++
    requires clang

    printf '#include <duende/memory.h>\nint main(void) {
        struct duende_resource_config config = DUENDE_RESOURCE_CONFIG_INIT;
        return duende_apply_memory_config(&config, NULL); }\n' >"$scratch/program.c"
    cp "$scratch/program.c" "$scratch/program.cc"
    for compiler in gcc clang; do
        "$compiler" -std=c99 "${strict[@]}" -I"$places/tree/include" -fsyntax-only "$scratch/program.c"
    done
    for compiler in g++ clang++; do
        "$compiler" -std=c++11 "${strict[@]}" -I"$places/tree/include" "$scratch/program.cc" \
            -L"$library_folder" -lduende -o "$scratch/program"
        run -0 "$scratch/program"
    done
}

@test "find_package gives a shared and a static library" {
    requires g++
    cat >"$scratch/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.13)
project(daemon LANGUAGES C CXX)
find_package(duende 0.1 REQUIRED)
find_package(Threads REQUIRED)
add_executable(with_shared library.c)
target_link_libraries(with_shared PRIVATE duende::duende Threads::Threads)
add_executable(with_static library.c)
target_link_libraries(with_static PRIVATE duende::duende_static Threads::Threads)
add_executable(with_cpp main.cc)
target_link_libraries(with_cpp PRIVATE duende::duende)
CMAKE
    cp "$TESTS/fixtures/library.c" "$scratch"
    echo '#include <duende/memory.h>
int main() { return duende_is_memory_locked(); }' >"$scratch/main.cc"
    unset LD_LIBRARY_PATH
    cmake -S "$scratch" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$places/tree" >"$scratch/log" 2>&1 || fail "$(cat "$scratch/log")"
    cmake --build "$scratch/build" >"$scratch/log" 2>&1 || fail "$(cat "$scratch/log")"
    run -0 readelf -d "$scratch/build/with_shared"
    assert_output --partial '[libduende.so.0]'
    run -0 readelf -d "$scratch/build/with_static"
    refute_output --partial libduende
    run -0 "$scratch/build/with_cpp"
    for daemon in "$scratch/build/with_shared" "$scratch/build/with_static"; do
        daemon_runs : is-locked
        daemon_says '0 -'
    done
}

@test "a version that may be incompatible is not found" {
    printf 'cmake_minimum_required(VERSION 3.13)\nproject(daemon LANGUAGES C)\nfind_package(duende 0.2 REQUIRED)\n' \
        >"$scratch/CMakeLists.txt"
    run cmake -S "$scratch" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$places/tree"
    assert_failure
}

@test "every function has a manual page, and every errno and constant of the header is in it" {
    local name

    for name in $(functions_of_header); do
        assert_equal "$(cat "$places/tree/share/man/man3/$name.3")" '.so man3/duende_memory.3'
    done
    cmp "$manual" "$places/tree/share/man/man3/duende_memory.3"
    run -0 mandoc -T lint "$manual"
    assert_output ''
    while read -r name; do
        grep -q "$name" "$manual" || fail "not in the manual page: $name"
    done < <(grep -oE '\b(E[A-Z0-9]{3,}|DUENDE_(MLOCK|RESOURCE)_[A-Z_]+|duende_[a-z_]+)\b' "$header" | grep -vx duende_memory | sort -u)
}

@test "the example of the manual page compiles and locks" {
    requires ipc_lock
    awk '/^\.EX/ { inside = !done; next } /^\.EE/ { inside = 0; done = 1 } inside' "$manual" |
        sed 's/^\\&//; s/\\e/\\/g; s/\\-/-/g' >"$scratch/example.c"
    build_with_pkg_config "$scratch/example.c" "$scratch/example"
    cd "$scratch"
    run -1 --separate-stderr "$scratch/example"
    assert_equal "$stderr" 'daemon.toml: cannot be read: open: No such file or directory'
    printf '[resources]\nlock_memory = true\nlock_memory_required = true\n' >daemon.toml
    run -0 --separate-stderr "$scratch/example"
    assert_equal "$stderr" ''
}

# --- lock, question, unlock -----------------------------------------------------------------------------------------------

locks_now_and_in_future() {
    daemon_holds 5 : is-locked lock-required is-locked map=2000 is-locked
    assert_equal "$(answers)" '0 -
0 success -
1 -
0 -
1 -'
    assert_locked "$pid"
}

@test "a daemon with the shared library locks its memory, now and in future" {
    requires ipc_lock
    daemon=$places/shared
    locks_now_and_in_future
}

@test "a daemon with the static library locks its memory, now and in future" {
    requires ipc_lock
    locks_now_and_in_future
}

@test "a lock that is not required is the same lock" {
    requires ipc_lock
    daemon_holds 2 : lock is-locked
    assert_equal "$(answers)" '0 success -
1 -'
    assert_locked "$pid"
}

@test "unlocking undoes all of it, for later mappings too" {
    requires ipc_lock
    daemon_holds 4 : lock-required unlock map=2000 is-locked
    assert_equal "$(answers)" '0 success -
0 -
0 -
0 -'
    assert_not_locked "$pid"
}

@test "one locked page is no locked memory" {
    requires ipc_lock
    daemon_runs : map-locked=4 is-locked lock is-locked
    daemon_says '0 -' '0 -' '0 success -' '1 -'
}

@test "one unlocked page is seen" {
    requires ipc_lock
    daemon_holds 3 : lock map-unlocked=4 is-locked
    assert_equal "$(answers)" '0 success -
0 -
0 -'
}

@test "a forked child is not locked, can lock itself, and leaves its parent alone" {
    requires ipc_lock
    daemon_runs : lock fork=is-locked fork=lock-required fork=unlock is-locked
    daemon_says '0 success -' '0 -' '0 success -' '0 -' '1 -'
}

@test "threads share the lock; 64 KiB of stack are enough for every function" {
    requires ipc_lock
    printf '[resources]\nlock_memory = true\nlock_memory_required = true\n' >"$scratch/daemon.toml"
    daemon_runs : thread="load=$scratch/daemon.toml" thread=apply is-locked thread=is-locked thread=unlock is-locked
    daemon_says '0 - 1 1 ' '0 success -' '1 -' '1 -' '0 -' '0 -'
}

@test "a daemon whose main thread has ended is locked and proven" {
    requires ipc_lock
    daemon_runs : alone is-locked lock-required is-locked
    daemon_says '0 -' '0 success -' '1 -'
    daemon_runs "${unprivileged[@]}" : alone lock-required
    daemon_says '-1 failed EPERM'
}

@test "a stack that has grown later does not look unlocked" {
    requires ipc_lock
    daemon_runs : lock grow=500 is-locked
    daemon_says '0 success -' '0 -' '1 -'
}

@test "the configuration decides: locked, tried, not at all" {
    requires ipc_lock
    daemon_runs : config=true,true apply is-locked unlock config=true,false apply is-locked unlock config=false,false apply is-locked
    daemon_says '0 success -' '1 -' '0 -' '0 success -' '1 -' '0 -' '0 disabled -' '0 -'
    daemon_runs : config=false,true apply
    daemon_says '-1 unset EINVAL'
    daemon_runs "${unprivileged[@]}" : config=true,true apply config=true,false apply
    daemon_says '-1 failed EPERM' '0 failed EPERM'
}

@test "the file of a daemon locks it; a wrong one says where" {
    requires ipc_lock
    printf 'name = "ublk"\n[resources]\nlock_memory = true # yes\nlock_memory_required = true\n' >"$scratch/daemon.toml"
    daemon_holds 2 : "load=$scratch/daemon.toml" apply
    assert_equal "$(answers)" '0 - 1 1 
0 success -'
    assert_locked "$pid"
    printf '[resources]\nlock_memroy = true\n' >"$scratch/daemon.toml"
    cd "$scratch"
    daemon_runs : load=daemon.toml load=nowhere.toml load=. apply
    daemon_says "-1 EINVAL 0 0 daemon.toml:2: unknown key 'lock_memroy' in [resources]; duende-run.conf(5) lists its keys" \
        '-1 ENOENT 0 0 nowhere.toml: cannot be read: open: No such file or directory' \
        '-1 EISDIR 0 0 .: cannot be read: read: Is a directory' '0 disabled -'
    printf '[daemon]\nname = 1\n' >"$scratch/daemon.toml"
    chmod 0 "$scratch/daemon.toml"
    daemon_runs : load=daemon.toml
    daemon_says '-1 ENODATA 0 0 daemon.toml: no [resources] in it'
}

@test "the launcher and the library refuse the same files" {
    local text expected

    for text in '[ resources ]' '["resources"]' 'resources.lock_memory = true' '[resources]\nx = 1' '[resources]\nlock_memory = 1' \
        '[resources]\nlock_memory = true\nlock_memory = true' '[resources]\nlock_memory = "true' '[resources]\n[[resources]]' \
        '[x]\ny = """' '[resources]\nlock_memory = true ; x\n lock_memory_required = maybe' '[resources]\nlock_memory: true'; do
        printf '%b\n' "$text" >"$scratch/daemon.toml"
        run --separate-stderr "$DUENDE" --config="$scratch/daemon.toml" --dry-run true
        [[ $status -eq 125 ]] || fail "the launcher takes $text: $status"
        expected=${stderr#duende-run: }
        daemon_runs : load="$scratch/daemon.toml"
        daemon_says "-1 EINVAL 0 0 $expected"
    done
}

@test "nothing is printed, and no descriptor stays open" {
    requires ipc_lock
    requires strace
    local commands=(lock-required is-locked unlock 'config=false,true' apply "load=$scratch/nowhere" 'config=true,false' apply)

    run -0 strace -f -o "$scratch/log" -e trace=write,writev,pwrite64,sendto,sendmsg,syslog "$daemon" "${commands[@]}"
    # The daemon's own answers.
    assert_equal "$(grep -c 'write(1, ' "$scratch/log")" 6
    assert_equal "$(grep -cvE 'write\(1, |exited with' "$scratch/log")" 0
    daemon_holds 1 : limit
    before=$(descriptors)
    daemon_holds 6 : "${commands[@]}"
    assert_equal "$(descriptors)" "$before"
}

# --- refusals -------------------------------------------------------------------------------------------------------------

@test "a limit that nothing lifts is refused, and nothing has changed" {
    requires root
    requires setpriv
    local limit

    for limit in 0:0 65536:65536 0:65536 65536:8388608 8388608:8388608; do
        daemon_holds 4 prlimit --memlock="$limit" "${unprivileged[@]}" : lock-required is-locked limit map=20000
        assert_equal "$(answers)" "-1 failed EPERM
0 -
${limit/:/ }
0 -"
        assert_not_locked "$pid"
    done
}

@test "not required, the same is a failure that is told" {
    requires root
    requires setpriv
    local limit

    for limit in 0:0 65536:65536 0:65536 65536:1048576; do
        daemon_holds 3 prlimit --memlock="$limit" "${unprivileged[@]}" : lock limit map=20000
        assert_equal "$(answers)" "0 failed EPERM
${limit/:/ }
0 -"
        assert_not_locked "$pid"
    done
}

@test "not required, what is mapped is locked where that is safe, and nothing fails later" {
    requires root
    requires setpriv
    # The main stack must be covered at its largest: 1 MiB here.
    daemon_holds 2 prlimit --stack=1048576 --memlock=65536:8388608 "${unprivileged[@]}" : lock limit
    assert_equal "$(answers)" '0 failed EPERM
8388608 8388608'
    assert_locked "$pid"
    daemon_runs prlimit --stack=1048576 --memlock=65536:8388608 "${unprivileged[@]}" : lock is-locked map=20000 is-locked grow=900
    daemon_says '0 failed EPERM' '1 -' '0 -' '0 -' '0 -'
    # Not at 8 MiB.
    daemon_holds 2 prlimit --stack=8388608 --memlock=65536:8388608 "${unprivileged[@]}" : lock limit
    assert_equal "$(answers)" '0 failed EPERM
65536 8388608'
    assert_not_locked "$pid"
    daemon_holds 2 prlimit --stack=unlimited --memlock=65536:8388608 "${unprivileged[@]}" : lock limit
    assert_not_locked "$pid"
}

@test "a capability that the kernel honours lifts every limit; the soft one is raised" {
    requires ipc_lock
    local limit

    for limit in 0:0 65536:65536 0:8388608; do
        daemon_holds 3 prlimit --memlock="$limit" : lock-required map=20000 is-locked
        assert_equal "$(answers)" '0 success -
0 -
1 -'
        assert_locked "$pid"
    done
    if [[ -n $(lacking_sys_resource) ]]; then
        daemon_runs prlimit --memlock=65536:8388608 : lock-required limit
        daemon_says '0 success -' '8388608 8388608'
    fi
}

@test "the limit becomes unlimited where privilege allows" {
    requires sys_resource "vm/scenarios/libduende.sh has it too"
    daemon_runs prlimit --memlock=65536:8388608 : lock-required limit
    daemon_says '0 success -' '-1 -1'
}

@test "an unlimited limit needs no capability" {
    requires root
    requires setpriv
    requires unlimited_memlock "vm/scenarios/libduende.sh has it too"
    daemon_holds 2 prlimit --memlock=65536:unlimited "${unprivileged[@]}" : lock-required limit
    assert_equal "$(answers)" '0 success -
-1 -1'
    assert_locked "$pid"
}

@test "in a user namespace the capability is there and counts for nothing" {
    requires user_namespaces
    daemon_holds 2 prlimit --memlock=65536 unshare --user --map-root-user : lock-required lock
    assert_equal "$(answers)" '-1 failed EPERM
0 failed EPERM'
    (((16#$(awk '$1 == "CapEff:" { print $2 }' "/proc/$pid/status") >> 14) & 1)) || fail "no capability to be mistaken for one"
    assert_not_locked "$pid"
}

@test "where mlockall is refused, errno says so and the limit is as it was" {
    requires ipc_lock
    local error

    for error in EPERM ENOSYS; do
        daemon_holds 3 prlimit --memlock=65536:8388608 "$places/filter" mlockall=$error -- : lock-required lock limit
        assert_equal "$(answers)" "-1 failed $error
0 failed $error
65536 8388608"
        assert_not_locked "$pid"
    done
}

@test "without /proc there is no proof, and no success" {
    requires ipc_lock
    requires mount_namespaces
    # shellcheck disable=SC2016 # for the other shell
    daemon_runs unshare --mount sh -c 'mount -t tmpfs none /proc && exec "$@"' sh : lock-required is-locked lock
    daemon_says '-1 failed ENOENT' '-1 ENOENT' '0 failed ENOENT'
}

@test "an unreadable /proc of another PID namespace is no proof either" {
    requires ipc_lock
    requires pid_namespaces
    # /proc of the outer namespace shows this process under another number.
    daemon_runs unshare --pid --fork : is-locked lock-required is-locked
    daemon_says '0 -' '0 success -' '1 -'
}

# --- with the launcher, and with other threads ----------------------------------------------------------------------------

@test "a budget that the launcher was given on purpose is neither refused nor weakened" {
    requires root
    requires setpriv
    daemon_holds 6 prlimit --stack=1048576 "${unprivileged[@]}" "$DUENDE" --no-config --required --memlock=8M -- \
        : is-locked lock-required lock is-locked map=2000 is-locked
    assert_equal "$(answers)" '1 -
0 success -
0 success -
1 -
0 -
1 -'
    assert_locked "$pid"
}

@test "a lock on fault becomes a full one" {
    requires ipc_lock
    daemon_holds 3 "$DUENDE" --no-config --required --lock=on-fault -- : is-locked lock-required is-locked
    assert_equal "$(answers)" '0 -
0 success -
1 -'
    assert_locked "$pid"
}

@test "threads that map memory meanwhile do not disturb the lock or the question" {
    requires ipc_lock
    run "$places/threads" granted
    assert_output ''
    assert_success
}

@test "a refusal is not noticed by threads that use the same limit" {
    requires root
    requires setpriv
    run "${unprivileged[@]}" "$places/threads" refused
    assert_output ''
    assert_success
}

@test "all functions at once, in several threads, have no data race" {
    requires thread_sanitizer
    printf '[resources]\nlock_memory = true\n' >"$scratch/daemon.toml"
    cmake -S "$REPO" -B "$scratch/build" -G Ninja -DDUENDE_SANITIZE=thread -DDUENDE_STATIC=OFF -DCMAKE_BUILD_TYPE=Debug \
        >"$scratch/log" 2>&1 || fail "$(cat "$scratch/log")"
    cmake --build "$scratch/build" --target duende_static >"$scratch/log" 2>&1 || fail "$(cat "$scratch/log")"
    gcc -g -O1 -fsanitize=thread -pthread -I"$places/tree/include" "$TESTS/fixtures/library_threads.c" \
        "$scratch/build/libduende.a" -o "$scratch/race"
    run "$scratch/race" race "$scratch/daemon.toml"
    assert_output ''
    assert_success
}
