#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What packaging/package.sh builds: the same files wherever it builds them, without a complaint of lintian and rpmlint, and
# packages that come, lock a program, are upgraded and go again without a trace, in roots of Debian 12 and 13 and of rpm.

# shellcheck disable=SC2030,SC2031,SC2154 # variables of bats and helpers

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load containers/support

older=0.0.9

# --- what is tested: three builds, made once --------------------------------------------------------------------------------

setup_file() {
    local build builds=()

    places=$(mktemp -d "$(engine_scratch)/duende-packages.XXXXXX")
    export places CMAKE_GENERATOR=Ninja CMAKE_BUILD_PARALLEL_LEVEL=1
    chmod 755 "$places"
    [[ -z $(lacking_packaging) ]] || return 0
    copy_tree
    build_packages here deb rpm tar &
    builds+=("$!")
    # Elsewhere, from older files, in another order, by a builder with other habits.
    (umask 077 && TZ=Pacific/Auckland LANG=tr_TR.UTF-8 LC_ALL=C.UTF-8 build_packages 'another-place' tar rpm deb) &
    builds+=("$!")
    (build_packages older deb rpm) &
    builds+=("$!")
    for build in "${builds[@]}"; do
        wait "$build" || fail "no packages: $(tail -n 30 "$places"/*.log)"
    done
}

teardown_file() { rm -rf --one-file-system "${places:?}"; }

setup() {
    common_setup
    requires packaging
    packages=$places/here.packages
    version=$(project_version)
}

# The tree as it is now, three times, without its history: of another date, and of an older version that had one file more.
copy_tree() {
    local other=$places/'another-place'

    mkdir "$places/here" "$other" "$places/older"
    # A file that is still in the index may be gone from the tree.
    (cd "$REPO" && { git -c safe.directory='*' ls-files -co --exclude-standard -z || find . -type f -not -path './build*' -not -path './.*' -print0; } |
        tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null) | tar -C "$places/here" -xf -
    cp -R "$places/here/." "$other"
    find "$other" -exec touch --no-dereference --date='2019-05-06 07:08:09' {} +
    cp -R "$places/here/." "$places/older"
    sed -i "s/^\(project(duende-run VERSION \)[0-9.]*/\1$older/" "$places/older/CMakeLists.txt"
    echo "install(FILES LICENSE DESTINATION \${CMAKE_INSTALL_DATADIR}/duende-run RENAME older)" >>"$places/older/CMakeLists.txt"
}

build_packages() {
    "$places/$1/packaging/package.sh" --output "$places/$1.packages" "${@:2}" >"$places/$1.log" 2>&1 3>&- </dev/null
}

# Installed by their names as in packages.d/packages.
lacking_packaging() {
    PATH=$PATH:/usr/sbin lacking_commands cmake cpack dpkg-architecture dpkg-deb dpkg-gensymbols file getcap gcc lintian ninja \
        pkg-config rpm rpmbuild rpmlint
}

# A root of the next release needs its mirror, once.
lacking_debian_13() { debian_13_tarball >/dev/null || echo "no root of Debian 13 can be made: $(tail -n 3 "$(engine_cache)/debian-13.log")"; }

requires_root_folders() {
    requires root
    requires chroot
    requires mount_namespaces
}

lacking_chroot() { lacking_capability 18 CAP_SYS_CHROOT; }

project_version() { sed -n 's/^project(duende-run VERSION \([0-9.]*\).*/\1/p' "$places/here/CMakeLists.txt"; }

# --- roots ------------------------------------------------------------------------------------------------------------------

# The mirror is the one of this host's release.
debian_13_tarball() {
    local cache tarball lock mirror

    cache=$(engine_cache)
    mirror=${DUENDE_DEBIAN_MIRROR:-$(engine_apt_sources | awk -v release="$ENGINE_RELEASE" '$3 == release { print $2; exit }')}
    tarball=$cache/debian-13-minbase-$(dpkg --print-architecture).tar
    exec {lock}>"$cache/lock"
    flock -w 900 "$lock" || return 1
    [[ -s $tarball ]] ||
        { ENGINE_RELEASE=trixie DUENDE_DEBIAN_MIRROR=$mirror engine_build_base "$tarball.part" 2>"$cache/debian-13.log" 3>&- &&
            mv "$tarball.part" "$tarball"; }
    exec {lock}>&-
    [[ -s $tarball ]] && echo "$tarball"
}

# new_root TARBALL: $root, with all packages in /packages and /older.
new_root() {
    root=$places/root-$BATS_TEST_NUMBER
    mkdir "$root"
    tar -C "$root" -xf "$1" --exclude='./dev/*' --exclude='./var/cache/apt/archives/*.deb'
    mkdir "$root/packages" "$root/older"
    cp "$packages"/*.{deb,rpm} "$root/packages"
    cp "$places"/older.packages/*.{deb,rpm} "$root/older"
}

# in_root COMMAND [ARG]...: as process 1 of namespaces of its own, so that nothing is left mounted or running.
in_root() {
    # shellcheck disable=SC2016 # for sh
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive \
        unshare --mount --pid --fork --kill-child sh -c \
        'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"' "$root" "$@" 3>&-
}

# Everything but logs, and caches that are rebuilt whenever they are missing.
files_of_root() {
    (cd "$root" && find . \( -path ./proc -o -path ./dev -o -path ./tmp -o -path ./var/log -o -path ./var/cache \) -prune \
        -o -printf '%p %y %m %u:%g %l\n') | grep -vE '^\./var/lib/(dpkg/[a-z-]*-old|dpkg/lock|dpkg/triggers/|apt/)' | LC_ALL=C sort
}

programs_of_root() {
    local process

    for process in $(descendants "$pid"); do
        [[ $(program "$process") != "$1" ]] || echo "$process"
    done
}

two_programs_of_root() { [[ $(programs_of_root "$1" | wc -l) -eq 2 ]]; }

# A daemon of two processes in the root, of a program that was there before: $daemon has both.
lock_daemon() {
    start in_root duende-run --required --quiet -- perl -e 'fork; sleep 600'
    wait_for 20 two_programs_of_root perl || fail "no two processes: $(cat "$scratch"/process.*)"
    mapfile -t daemon < <(programs_of_root perl)
    # Both are in their main().
    wait_for 10 sleeping "${daemon[0]}" && wait_for 10 sleeping "${daemon[1]}"
    daemon_is_locked
}

daemon_is_locked() {
    assert_locked "${daemon[0]}" full
    assert_locked "${daemon[1]}" on-fault
}

assert_same_files() {
    diff -u "$scratch/before" <(files_of_root) >"$scratch/difference" || fail "left or lost: $(cat "$scratch/difference")"
}

# --- the packages as files --------------------------------------------------------------------------------------------------

@test "the same tree gives the same packages at another place and time, with another umask, time zone and language" {
    run -0 bash -c "cd '$packages' && sha256sum *.deb *.rpm *.tar.gz"
    assert_equal "${#lines[@]}" 7
    assert_equal "$output" "$(cd "$places/another-place.packages" && sha256sum ./*.deb ./*.rpm ./*.tar.gz | sed 's# \./# #')"
}

@test "lintian finds nothing in the Debian packages" {
    run -0 --separate-stderr lintian --allow-root --info --display-info --pedantic --fail-on pedantic,info,warning,error "$packages"/*.deb
    assert_output ''
}

@test "lintian looks at the packages: without the reasons that are given, it complains" {
    run -2 lintian --allow-root --no-override --fail-on warning "$packages"/libduende0_*.deb
    assert_output --partial 'W: libduende0: initial-upload-closes-no-bugs'
}

@test "rpmlint finds nothing in the rpm packages" {
    run -0 rpmlint --config "$REPO/packaging/rpm/rpmlint.toml" "$packages"/*.rpm
    assert_line --regexp '3 packages and 0 specfiles checked; 0 errors, 0 warnings'
}

@test "the version is that of project() in every place that shows it, and follows it" {
    local page

    for page in man/duende-run.1 man/duende_memory.3; do
        assert_equal "$(sed -n 's/^\.TH .*"duende-run \([^"]*\)".*/\1/p' "$REPO/$page")" "$version"
    done
    grep -qxF "## [$version]" "$REPO/CHANGELOG.md" || fail "CHANGELOG.md does not know $version"
    shows_version "$packages" "$version"
    shows_version "$places/older.packages" "$older"
}

# shows_version FOLDER VERSION: names, control files and contents of the packages.
shows_version() {
    local folder=$scratch/$2 architecture

    architecture=$(dpkg --print-architecture)
    for package in duende-run libduende0 libduende-dev; do
        [[ $(dpkg-deb -f "$1/${package}_$2-1_$architecture.deb" Version) == "$2-1" ]] || fail "$package is not $2"
        dpkg-deb -x "$1/${package}_$2-1_$architecture.deb" "$folder"
    done
    for package in duende-run libduende0 libduende-devel; do
        assert_equal "$(rpm -qp --qf '%{VERSION}-%{RELEASE}' "$1/$package-$2-1.$(uname -m).rpm")" "$2-1"
    done
    assert_equal "$("$folder/usr/bin/duende-run" --version | head -n 1)" "duende-run $2"
    assert_equal "$(sed -n 's/^Version: //p' "$folder"/usr/lib/*/pkgconfig/duende.pc)" "$2"
    assert_equal "$(sed -n 's/^set(PACKAGE_VERSION "\(.*\)")/\1/p' "$folder"/usr/lib/*/cmake/duende/duendeConfigVersion.cmake)" "$2"
    [[ -f $(echo "$folder"/usr/lib/*/libduende.so."$2") ]] || fail "no libduende.so.$2"
    zgrep -q "^duende-run ($2-1) " "$folder/usr/share/doc/duende-run/changelog.Debian.gz"
}

@test "nothing in the packages is set-user-ID, has a capability, or can be written by others; all of it is root's" {
    local package folder=$scratch/all

    for package in "$packages"/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -tvf -
    done >"$scratch/list"
    tar -tvzf "$packages"/*.tar.gz >>"$scratch/list"
    rpm -qp --qf '[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES} %{FILECAPS}\n]' "$packages"/*.rpm >>"$scratch/list"
    [[ $(wc -l <"$scratch/list") -gt 100 ]] || fail "this is not what the packages have: $(cat "$scratch/list")"
    run grep -vE '^([d-]rw[x-]r-[x-]r-[x-]|lrwx[r-][w-]x[r-][w-]x) root/root ' "$scratch/list"
    assert_output ''
    mkdir "$folder"
    for package in "$packages"/*.rpm; do
        assert_equal "$(rpm -qp --qf '%{FILECAPS}' "$package")" '(none)'
        (cd "$folder" && rpm2cpio "$package" | cpio -id --quiet)
    done
    for package in "$packages"/*.deb; do
        dpkg-deb -x "$package" "$folder"
    done
    tar --xattrs --xattrs-include='*' -xzf "$packages"/*.tar.gz -C "$folder"
    run -0 /usr/sbin/getcap -r "$folder"
    assert_output ''
}

@test "the packages have both helpers, manual pages, completions and the example configuration, and nothing in /etc" {
    local name

    dpkg-deb --fsys-tarfile "$packages"/duende-run_*.deb | tar -tf - >"$scratch/list"
    for name in lib/.*/duende-run/duende-preload.x86_64.so lib/.*/duende-run/duende-preload.i386.so share/man/man1/duende-run.1.gz \
        share/man/man5/duende-run.conf.5.gz share/bash-completion/completions/duende-run share/zsh/vendor-completions/_duende-run \
        share/fish/vendor_completions.d/duende-run.fish share/doc/duende-run/examples/duende-run.conf share/doc/duende-run/copyright; do
        grep -qx "\./usr/$name" "$scratch/list" || fail "no $name"
    done
    run grep -v '^\./usr/' <(grep -vx './' "$scratch/list")
    assert_output ''
    rpm -qpl "$packages"/duende-run-*.rpm >"$scratch/list"
    run grep -v '^/usr/' "$scratch/list"
    assert_output ''
    grep -qx /usr/lib64/duende-run/duende-preload.i386.so "$scratch/list"
}

@test "libduende0 declares the symbols that the library has" {
    dpkg-deb -x "$packages"/libduende0_*.deb "$scratch/library"
    mkdir "$scratch/debian"
    printf 'Source: duende-run\n\nPackage: libduende0\nArchitecture: any\n' >"$scratch/debian/control"
    cd "$scratch"
    run -0 dpkg-gensymbols -c4 -plibduende0 -v"$version-1" -I"$REPO/packaging/deb/libduende0/symbols" \
        -e"$(echo "$scratch"/library/usr/lib/*/libduende.so.*.*)" -O"$scratch/symbols"
    assert_equal "$(dpkg-deb -I "$packages"/libduende0_*.deb shlibs)" "libduende 0 libduende0 (>= $(sed -n '$s/.* //p' "$scratch/symbols"))"
}

# --- installed --------------------------------------------------------------------------------------------------------------

# life_on_debian: install, lock, upgrade, remove, purge.
life_on_debian() {
    files_of_root >"$scratch/before"
    in_root sh -c 'dpkg -i /older/*.deb' >"$scratch/install" 2>&1 || fail "$(cat "$scratch/install")"
    run -0 in_root duende-run --version
    assert_line "duende-run $older"
    [[ -e $root/usr/share/duende-run/older ]]
    lock_daemon

    in_root sh -c 'apt-get install --yes /packages/*.deb' >"$scratch/upgrade" 2>&1 || fail "$(cat "$scratch/upgrade")"
    daemon_is_locked
    kill -KILL "${daemon[@]}"
    run -0 in_root duende-run --version
    assert_line "duende-run $version"
    # shellcheck disable=SC2016 # dpkg-query's
    run -0 in_root dpkg-query -W -f '${Package} ${Version} ${Status}\n' duende-run libduende0 libduende-dev
    assert_output "duende-run $version-1 install ok installed
libduende-dev $version-1 install ok installed
libduende0 $version-1 install ok installed"
    [[ ! -e $root/usr/share/duende-run ]]
    # What dpkg knows of the files on the disk.
    run -0 in_root dpkg --verify duende-run libduende0 libduende-dev
    assert_output ''
    run -0 in_root ldconfig -p
    assert_output --partial 'libduende.so.0 '
    lock_daemon
    kill -KILL "${daemon[@]}"
}

gone_from_debian() {
    in_root apt-get remove --yes duende-run libduende0 libduende-dev >"$scratch/remove" 2>&1 || fail "$(cat "$scratch/remove")"
    in_root dpkg --purge duende-run libduende0 libduende-dev >"$scratch/purge" 2>&1 || fail "$(cat "$scratch/purge")"
    assert_same_files
    run -1 in_root dpkg-query -W duende-run
}

@test "Debian 12: install, lock a daemon, upgrade under it, remove, purge: nothing is left" {
    requires_root_folders
    new_root "$(engine_base_tarball)"
    life_on_debian
    gone_from_debian
}

@test "Debian 13: the same, and a daemon that was built with libduende-dev locks itself with libduende0" {
    requires_root_folders
    requires debian_13
    new_root "$(debian_13_tarball)"
    life_on_debian
    build_library_daemon
    cp "$scratch/daemon" "$root/tmp/"
    library_daemon_locks_itself
    gone_from_debian
}

runs_in_root() { [[ -n $(programs_of_root "$1") ]]; }

# The root's /tmp/daemon, with the root's libduende.
library_daemon_locks_itself() {
    start in_root /tmp/daemon lock-required hold
    wait_for 20 runs_in_root daemon || fail "$(cat "$scratch"/process.*)"
    mapfile -t daemon < <(programs_of_root daemon)
    wait_for 10 sleeping "${daemon[0]}"
    assert_locked "${daemon[0]}"
    kill -KILL "${daemon[@]}"
}

# As in a source package of its own: pkg-config and the packages' files, from another folder.
build_library_daemon() {
    local flags

    dpkg-deb -x "$packages"/libduende-dev_*.deb "$scratch/development"
    dpkg-deb -x "$packages"/libduende0_*.deb "$scratch/development"
    read -r -a flags <<<"$(PKG_CONFIG_PATH=$(echo "$scratch"/development/usr/lib/*/pkgconfig) pkg-config --cflags --libs duende)"
    gcc -std=gnu17 -O1 -pthread "$TESTS/fixtures/library.c" -o "$scratch/daemon" "${flags[@]}"
}

# Debian's rpm wants to be told that its user knows what he does.
rpm_in_root() { rpm --root "$root" --dbpath /var/lib/rpm --force-debian "$@"; }

new_rpm_root() {
    new_root "$(engine_base_tarball)"
    rpmdb --root "$root" --dbpath /var/lib/rpm --initdb
}

@test "rpm: install into an empty database, query, lock, verify, upgrade, erase: nothing is left" {
    requires_root_folders
    # The C library and the programs of a Debian, of which rpm knows nothing: there is no other distribution to be had.
    new_rpm_root
    find "$root"/usr -type d | LC_ALL=C sort >"$scratch/folders"
    files_of_root | grep -v ^./var/lib/rpm >"$scratch/before"
    rpm_in_root --install "$root/older/duende-run-$older"-*.rpm
    run -0 in_root duende-run --version
    assert_line "duende-run $older"
    lock_daemon
    # The library needs the C library and nothing else; that one is there, but not in the database.
    run ! rpm_in_root --upgrade --test "$packages"/*.rpm
    echo "$output" >"$scratch/needs"
    run grep -vE '^error: Failed dependencies|is needed by libduende0|/usr/bin/pkg-config is needed by libduende-devel' "$scratch/needs"
    assert_output ''
    run grep -v '\slibc\.so\.6\|\srtld(GNU_HASH)' <(grep libduende0 "$scratch/needs")
    assert_output ''
    rpm_in_root --upgrade --nodeps "$packages"/*.rpm
    daemon_is_locked
    kill -KILL "${daemon[@]}"
    run -0 in_root duende-run --version
    assert_line "duende-run $version"
    [[ ! -e $root/usr/share/duende-run ]]
    run -0 rpm_in_root --query --all
    assert_equal "$(sort <<<"$output")" "duende-run-$version-1.$(uname -m)
libduende-devel-$version-1.$(uname -m)
libduende0-$version-1.$(uname -m)"
    run -0 rpm_in_root --verify --nodeps duende-run libduende0 libduende-devel
    assert_output ''
    run -0 rpm_in_root --query --file /usr/bin/duende-run
    assert_output "duende-run-$version-1.$(uname -m)"
    lock_daemon
    kill -KILL "${daemon[@]}"
    rpm_in_root --erase duende-run libduende0 libduende-devel
    # Folders that a distribution's package "filesystem" owns.
    rmdir "$root"/usr/lib64/{cmake,pkgconfig} "$root"/usr/share/licenses "$root"/usr/share/man/man3 2>/dev/null || true
    diff -u "$scratch/before" <(files_of_root | grep -v ^./var/lib/rpm) || fail "left or lost"
}

@test "rpm --verify sees a file that was changed" {
    requires root
    requires chroot
    new_rpm_root
    rpm_in_root --install "$packages"/duende-run-*.rpm
    echo >>"$root/usr/bin/duende-run"
    run -1 rpm_in_root --verify duende-run
    assert_line --regexp '^S.5.* /usr/bin/duende-run$'
}

# --- an rpm distribution ----------------------------------------------------------------------------------------------------

lacking_dnf() { lacking_commands createrepo_c dnf; }

# Its packages need Debian's mirror, once.
lacking_rpm_repository() { rpm_repository >/dev/null || echo "no rpm packages of a root can be made: $(tail -n 3 "$scratch/rpm-root.log")"; }

rpm_repository() { "$TESTS/containers/rpm-root.sh" 2>"$scratch/rpm-root.log" 3>&-; }

# $root: empty, for dnf_in_root, which knows the repositories distribution, older and ours.
new_dnf_root() {
    requires_root_folders
    requires dnf
    requires rpm_repository
    local repository

    root=$places/root-$BATS_TEST_NUMBER
    mkdir "$root" "$scratch/older" "$scratch/ours"
    cp "$places"/older.packages/*.rpm "$scratch/older"
    cp "$packages"/*.rpm "$scratch/ours"
    createrepo_c --quiet "$scratch/older"
    createrepo_c --quiet "$scratch/ours"
    printf '[main]\ngpgcheck=0\nplugins=0\nreposdir=/nonexistent\n' >"$scratch/dnf.conf"
    for repository in "distribution $(rpm_repository)" "older $scratch/older" "ours $scratch/ours"; do
        printf '[%s]\nbaseurl=file://%s\n' "${repository%% *}" "${repository#* }" >>"$scratch/dnf.conf"
    done
    # Debian's rpm has its database in the user's home.
    echo '%_dbpath /var/lib/rpm' >"$scratch/.rpmmacros"
}

# dnf_in_root REPOSITORY[,REPOSITORY] COMMAND [ARG]...
dnf_in_root() {
    HOME=$scratch LC_ALL=C dnf --config "$scratch/dnf.conf" --installroot "$root" --releasever=12 --repo="$1" --assumeyes "${@:2}" 3>&-
}

dnf_succeeds() { dnf_in_root "$@" >"$scratch/dnf" 2>&1 || fail "dnf ${*:2}: $(cat "$scratch/dnf")"; }

# Without the two databases, which remember what was there.
files_of_rpm_root() { files_of_root | grep -vE '^\./(etc|var/lib)/(dnf|rpm)/'; }

# A daemon of the root's own packages: $daemon.
lock_nbdkit() {
    rm -f "$root/tmp/nbd"
    start in_root duende-run --required --quiet -- nbdkit --foreground --unix /tmp/nbd memory 64M
    wait_for 20 runs_in_root nbdkit || fail "no daemon: $(cat "$scratch"/process.*)"
    mapfile -t daemon < <(programs_of_root nbdkit)
    wait_for 10 nbdkit_serves || fail "no server: $(cat "$scratch"/process.*)"
    nbdkit_is_locked
}

nbdkit_serves() {
    python3 -c 'import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(5)
client.connect(sys.argv[1])
sys.exit(client.recv(8) != b"NBDMAGIC")' "$root/tmp/nbd"
}

nbdkit_is_locked() {
    assert_equal "${#daemon[@]}" 1
    wait_for 10 sleeping "${daemon[0]}"
    assert_locked "${daemon[0]}"
}

# With the flags that pkg-config has in the root.
build_with_libduende_devel() {
    local flags

    read -r -a flags <<<"$(in_root pkg-config --cflags --libs duende)"
    gcc -std=gnu17 -O1 -pthread "$TESTS/fixtures/library.c" -o "$root/tmp/daemon" -I"$root/usr/include" -L"$root/usr/lib64" "${flags[@]}"
}

@test "rpm-based root: dnf installs what the packages need, a daemon of the root is locked, upgraded under, erased: nothing is left" {
    new_dnf_root
    dnf_succeeds distribution install bash coreutils nbdkit rpm
    # All of the root is rpm's.
    comm -23 <(files_of_rpm_root | sed -n 's#^\.\(/[^ ]*\).*#\1#p' | sort) <(in_root rpm --query --all --list | sort) >"$scratch/foreign"
    run grep -vxE '/(etc|var/lib)/dnf' "$scratch/foreign"
    assert_output ''
    run -0 in_root rpm --verify --all
    assert_output ''
    files_of_rpm_root >"$scratch/before"

    dnf_succeeds distribution,older install duende-run libduende-devel
    run -0 in_root rpm --query --qf '%{NAME} %{VERSION}\n' duende-run libduende0 libduende-devel
    assert_output "duende-run $older
libduende0 $older
libduende-devel $older"
    # The other one that nobody named.
    run -0 in_root rpm --query --whatprovides /usr/bin/pkg-config
    assert_output --partial pkgconf
    run -0 in_root duende-run --version
    assert_line "duende-run $older"
    [[ -e $root/usr/share/duende-run/older ]]
    lock_nbdkit

    dnf_succeeds ours upgrade
    nbdkit_serves || fail "the daemon has ended: $(cat "$scratch"/process.*)"
    nbdkit_is_locked
    # It has the helper of before.
    run -0 grep -c 'duende-preload.*(deleted)$' "/proc/${daemon[0]}/maps"
    kill -KILL "${daemon[@]}"
    run -0 in_root duende-run --version
    assert_line "duende-run $version"
    [[ ! -e $root/usr/share/duende-run ]]
    run -0 in_root rpm --query --all --qf '%{NAME} %{VERSION}\n' '*duende*'
    assert_equal "$(sort <<<"$output")" "duende-run $version
libduende-devel $version
libduende0 $version"
    # Files and dependencies.
    run -0 in_root rpm --verify --all
    assert_output ''
    lock_nbdkit
    kill -KILL "${daemon[@]}"

    build_with_libduende_devel
    library_daemon_locks_itself

    run ! in_root rpm --force-debian --erase libduende0
    assert_output --partial "libduende0($(isa)) = $version-1 is needed by (installed) libduende-devel-$version-1.$(uname -m)"
    # What only they needed goes with them.
    dnf_succeeds ours remove duende-run libduende-devel
    diff -u "$scratch/before" <(files_of_rpm_root) || fail "left or lost"
    run -0 in_root rpm --query --all '*duende*' 'pkgconf*'
    assert_output ''
}

# As in the names of packages: x86-64.
isa() { rpm --eval '%{_isa}' | tr -d '()'; }

@test "rpm-based root: dnf refuses a package whose needs it cannot fill, and names them; the launcher has none" {
    new_dnf_root
    run ! dnf_in_root ours install libduende0
    assert_line --regexp "nothing provides libc\.so\.6\(GLIBC_2\.[0-9]+\)\(64bit\) needed by libduende0-$version-1\.$(uname -m)"
    run ! dnf_in_root distribution,ours install libduende-devel --exclude=pkgconf
    assert_line --regexp "package libduende-devel-$version-1\.$(uname -m) requires /usr/bin/pkg-config, but none of the providers can be installed"
    # Of the very same version.
    run ! dnf_in_root distribution,older,ours install "libduende-devel-$version" --exclude="libduende0-$version"
    assert_line --partial "requires libduende0($(isa)) = $version-1, but none of the providers can be installed"
    [[ ! -e $root/usr ]]

    dnf_succeeds ours install duende-run
    mkdir "$root/proc" "$root/dev"
    run -0 in_root duende-run --version
    assert_line "duende-run $version"
    run -0 rpm_in_root --query --all --qf '%{NAME}\n'
    assert_output duende-run
    run -0 rpm_in_root --verify --all
    assert_output ''
}

@test "the archive runs where it is unpacked, and where it is moved to: the launcher finds its helper" {
    local folder

    mkdir "$scratch/here"
    tar -xzf "$packages"/*.tar.gz -C "$scratch/here"
    folder=$(echo "$scratch"/here/*)
    start "$folder/bin/duende-run" --required --quiet -- sleep 600
    wait_for_program "$pid" sleep
    wait_for 10 sleeping "$pid"
    assert_locked "$pid"
    mv "$folder" "$scratch/moved"
    start --output moved "$scratch/moved/bin/duende-run" --required --quiet -- sleep 600
    wait_for_program "$pid" sleep
    wait_for 10 sleeping "$pid"
    assert_locked "$pid"
    rm "$scratch"/moved/lib/duende-run/*
    run -120 "$scratch/moved/bin/duende-run" --required --method=preload -- true
}

@test "quickstart.sh --uninstall removes what quickstart.sh has installed, and nothing else" {
    requires root
    prefix=$scratch/prefix
    mkdir -p "$prefix/share/man/man1" "$prefix/bin" "$prefix/empty"
    echo neighbour >"$prefix/bin/neighbour"
    (cd "$prefix" && find . -printf '%p %y %m\n' | sort) >"$scratch/before"
    run -0 quickstart true
    [[ -x $prefix/bin/duende-run ]]
    # Once more: what the first one has made is still its own.
    run -0 quickstart true
    echo mine >"$prefix/share/doc/duende-run/mine"
    run -0 quickstart --uninstall
    run -0 cat "$prefix/share/doc/duende-run/mine"
    assert_output mine
    rm -r "$prefix/share/doc"
    diff -u "$scratch/before" <(cd "$prefix" && find . -printf '%p %y %m\n' | sort) || fail "left or lost"
    run -1 quickstart --uninstall
    assert_output --partial 'nothing was installed'
}

quickstart() { PREFIX=$prefix "$places/here/packaging/quickstart.sh" "$@" 3>&-; }
