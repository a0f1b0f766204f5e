# shellcheck shell=bash disable=SC2034,SC2154 # the parts of run share its variables
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The machine's root file system: what the scenario asked for and no more.

# Reads the comments at the head of a scenario into needed_*.
read_needs() {
    local scenario=$1 key value

    needed_programs=() needed_files=() needed_sources=() needed_x32=() needed_dynamic=() needed_fixtures=() needed_modules=() needed_repository=()
    needed_launcher=no needed_root=initramfs command_line='' memory=512 processors=1 time_limit=300
    while read -r key value; do
        # shellcheck disable=SC2206 # several names on a line
        case $key in
            needs-program:) needed_programs+=($value) ;;
            needs-file:) read -ra words <<<"$value" && needed_files+=("${words[@]}") ;;
            needs-source:) needed_sources+=($value) ;;
            needs-source-dynamic:) needed_dynamic+=($value) ;;
            needs-source-x32:) needed_x32+=($value) ;;
            needs-fixture:) needed_fixtures+=($value) ;;
            needs-module:) needed_modules+=($value) ;;
            needs-repository:) needed_repository+=($value) ;;
            needs-launcher:) needed_launcher=$value ;;
            # --kernel is stronger.
            kernel:) : "${kernel:=$value}" ;;
            root:) needed_root=$value ;;
            command-line:) command_line=$value ;;
            memory:) memory=$value ;;
            processors:) processors=$value ;;
            time-limit:) time_limit=$value ;;
            needs-*) usage_error "$scenario: unknown need $key" ;;
        esac
    done < <(sed -n '/^[^#]/q; s/^# \([a-z0-9-]*:\)/\1/p' "$scenario")
    : "${kernel:=stable}"
    is_kernel "$kernel" || usage_error "unknown kernel $kernel; stable, backports, generic and 16k are known"
    time_limit=$((time_limit * ${DUENDE_VM_TIME_FACTOR:-1}))
}

# Sets initramfs. The scratch folder goes when the harness ends.
build_initramfs() {
    local scenario=$1

    scratch=$(mktemp -d "$cache/machine.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    root=$scratch/root
    make_folders
    pack_busybox
    pack_programs
    pack_files
    pack_sources
    pack_fixtures
    pack_modules
    pack_launcher
    pack_repository
    pack_guest "$scenario"
    [[ $needed_root != systemd ]] || pack_systemd_guest
    initramfs=$scratch/initramfs
    # Not compressed: the machine would spend longer on that than the host gains.
    (cd "$root" && find . -print0 | sort -z | busybox cpio -0 -o -H newc -R 0:0 2>/dev/null) >"$initramfs"
}

make_folders() {
    local name
    mkdir -p "$root"/{dev,etc,proc,root,run,sys,tmp,home/tester,opt/{busybox,static},scenario,usr/local/bin,usr/share/empty} \
        "$root"/usr/{bin,sbin,lib,lib64} "$root"/var/{lib,log,tmp,www}
    for name in bin sbin lib lib64; do
        ln -s "usr/$name" "$root/$name"
    done
    ln -s /run "$root/var/run"
    chmod 700 "$root/root"
    chmod 1777 "$root/tmp" "$root/var/tmp"
}

pack_busybox() {
    local busybox
    require_command busybox busybox-static
    busybox=$(find_program busybox)
    [[ $foreign == no ]] || busybox=$(foreign_file busybox-static "$busybox")
    is_dynamic "$busybox" && unavailable "busybox is not static (Debian package busybox-static)"
    cp "$busybox" "$root/usr/bin/busybox"
    ln -s busybox "$root/usr/bin/sh"
}

# foreign_file PACKAGE PATH...: the first of these that Debian's PACKAGE has for the machine's architecture,
# unpacked in the cache.
foreign_file() {
    local package=$1 folder=$cache/packages-$machine_architecture/$1 path candidate
    shift
    if [[ ! -d $folder ]]; then
        mkdir -p "$folder.new"
        debian_unpack "$package" "$debian_architecture" "$folder.new" ||
            unavailable "package $package cannot be downloaded for $debian_architecture"
        mv "$folder.new" "$folder"
    fi
    for path; do
        # Which of the two folders a package names has become a matter of taste.
        for candidate in "$folder$path" "$folder/usr$path" "$folder${path#/usr}"; do
            [[ ! -f $candidate ]] || {
                echo "$candidate"
                return
            }
        done
    done
    unavailable "package $package has no $1 for $debian_architecture"
}

# The package in which this host has a file.
package_of() {
    local owner
    owner=$(dpkg-query -S "$1" 2>/dev/null || dpkg-query -S "/usr$1" 2>/dev/null ||
        dpkg-query -S "${1#/usr}" 2>/dev/null || true)
    owner=$(grep -v '^diversion ' <<<"$owner" | head -n 1)
    [[ -n $owner ]] || unavailable "no package owns $1, so that none can be had for $machine_architecture"
    echo "${owner%%[:,]*}"
}

find_program() {
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1" ||
        unavailable "program $1 is missing (tests/vm/packages lists what is needed)"
}

is_dynamic() {
    readelf -lW "$1" 2>/dev/null | grep -q INTERP
}

is_shared_object() {
    readelf -dW "$1" 2>/dev/null | grep -q NEEDED
}

# pack FILE [PLACE]: a file at its place, its own if none is given, and the libraries that it asks for.
pack() {
    local file=$1 place=${2:-$1} library
    mkdir -p "$root${place%/*}"
    cp -L "$file" "$root$place"
    is_shared_object "$file" || return 0
    if [[ $foreign == yes ]]; then
        pack_foreign_libraries "$file"
        return
    fi
    while read -r library; do
        [[ -e $root$library ]] && continue
        mkdir -p "$root${library%/*}"
        cp -L "$library" "$root$library"
    done < <(libraries_of "$file")
}

# ldd knows only the loader of this host's own libc; musl's is its whole libc.
libraries_of() {
    readelf -lW "$1" | grep -o '/lib/ld-musl-[^]]*' || ldd "$1" 2>/dev/null | grep -o '/[^ ]*'
}

# What the loader of the machine would look for; ldd cannot say it here.
pack_foreign_libraries() {
    local name file place multiarch=/usr/lib/$machine_architecture-linux-gnu
    while read -r name; do
        place=$multiarch/$name
        case $name in
            libc.so) continue ;; # musl's loader
            ld-*) place=/usr/lib/$name ;;
        esac
        [[ ! -e $root$place ]] || continue
        case $name in
            ld-musl-*) file=$(foreign_file musl "/lib/$machine_architecture-linux-musl/libc.so") ;;
            ld-linux-*) file=$(foreign_file libc6 "$multiarch/$name" "$place") ;;
            *) file=$(foreign_library "$name" "$place") ;;
        esac
        pack "$file" "$place"
    done < <(readelf -ldW "$1" | sed -n 's|.*(NEEDED).*\[\(.*\)\]|\1|p; s|.*interpreter: .*/\(.*\)\]|\1|p')
}

# foreign_library NAME PLACE: of the package that has it for this host.
foreign_library() {
    local path package
    path=$(ldconfig -p | sed -n "s|^\t$1 (.*) => ||p" | grep "/$(uname -m)-linux-gnu/" || true)
    [[ -n $path ]] || unavailable "this host has no $1, so that its package is not known"
    package=$(package_of "${path%%$'\n'*}")
    foreign_file "$package" "$2"
}

# busybox' shell prefers its applets to every program in PATH. Functions make it run the program that the
# scenario asked for; a name that is none for a function is none of an applet either.
pack_programs() {
    local name program package file
    : >"$root/scenario/programs.sh"
    for name in "${needed_programs[@]}"; do
        program=$(find_program "$name")
        program=$(realpath "${program%/*}")/${program##*/}
        if [[ $foreign == yes ]]; then
            package=$(package_of "$program")
            file=$(foreign_file "$package" "$program")
            pack "$file" "$program"
        else
            pack "$program"
        fi
        [[ $name =~ ^[a-z_]+$ ]] || continue
        echo "$name() { $program \"\$@\"; }" >>"$root/scenario/programs.sh"
    done
}

pack_files() {
    local pattern file
    for pattern in "${needed_files[@]}"; do
        file=$(compgen -G "$pattern" | head -n 1 || true)
        [[ -n $file ]] || unavailable "no file $pattern (tests/vm/packages lists what is needed)"
        pack "$file"
    done
}

pack_sources() {
    local name
    for name in "${needed_sources[@]}"; do
        compile_source "$name" "$root/usr/local/bin/$name" -static
    done
    for name in "${needed_dynamic[@]}"; do
        [[ $foreign == no ]] || unavailable "$name-dynamic is built for this host's architecture alone"
        compile_source "$name" "$scratch/$name-dynamic"
        pack "$scratch/$name-dynamic" "/usr/local/bin/$name-dynamic"
    done
    for name in "${needed_x32[@]}"; do
        [[ $machine_architecture == x86_64 && $foreign == no ]] || unavailable "$name-x32 is built on x86-64 for x86-64"
        [[ -e /usr/libx32/libc.a ]] || unavailable "no libc of x32 (Debian packages libc6-dev-x32 and libx32gcc-12-dev)"
        # Without gcc-multilib, beside which Debian has no cross compilers, nothing leads to the kernel's headers.
        compile_source "$name" "$root/usr/local/bin/$name-x32" -mx32 -idirafter "/usr/include/$(gcc -print-multiarch)" -static
        compile_source "$name" "$root/usr/local/bin/$name-x32-dynamic" -mx32 -idirafter "/usr/include/$(gcc -print-multiarch)"
    done
}

# compile_source NAME RESULT OPTION...: a line "// libraries: NAME..." says what the source is linked with.
compile_source() {
    local source=$here/programs/$1.c result=$2 compiler=${cross_prefix}gcc libraries
    [[ -f $source ]] || source=$repository/tests/fixtures/$1.c
    shift 2
    require_command "$compiler" "gcc${cross_prefix:+-${cross_prefix%-}}"
    read -ra libraries < <(sed -n 's|^// libraries: ||p' "$source") || true
    "$compiler" -std=gnu17 -O2 -Wall -Wextra -Werror -pthread "$@" -o "$result" "$source" "${libraries[@]/#/-l}"
}

pack_fixtures() {
    local name
    for name in "${needed_fixtures[@]}"; do
        [[ -x $build/$name ]] || unavailable "no $name in $build (tests/fixtures/build.sh makes it)"
        pack "$build/$name" "/usr/local/bin/$name"
    done
}

pack_modules() {
    local name file dependencies loadable=() folder=lib/modules/$kernel_release
    [[ ${#needed_modules[@]} -gt 0 ]] || return 0
    mkdir -p "$root/$folder"
    cp "$kernel_modules/$folder"/modules.dep "$root/$folder/"
    for name in "${needed_modules[@]}"; do
        # Part of one kernel, a module of the other.
        ! grep -q "/$name\.ko$" "$kernel_modules/$folder/modules.builtin" || continue
        loadable+=("$name")
        dependencies=$(grep -E "(^|/)$name\.ko:" "$kernel_modules/$folder/modules.dep" || true)
        [[ -n $dependencies ]] || unavailable "kernel $kernel_release has no module $name"
        for file in ${dependencies/:/}; do
            mkdir -p "$root/$folder/${file%/*}"
            cp "$kernel_modules/$folder/$file" "$root/$folder/$file"
        done
    done
    needed_modules=("${loadable[@]}")
}

# The helper beside the launcher: any pair that stands so is found without options.
pack_launcher() {
    local helper
    [[ $needed_launcher == yes ]] || return 0
    [[ -x $build/duende-run ]] || unavailable "no launcher in $build"
    install -m 755 "$build/duende-run" "$root/usr/local/bin/duende-run"
    if is_dynamic "$build/duende-run"; then
        pack "$(realpath "$build/duende-run")"
    fi
    for helper in "$build"/duende-preload.*.so; do
        [[ -e $helper ]] || unavailable "no preload helper in $build"
        install -m 644 "$helper" "$root/usr/local/bin/"
    done
}

pack_repository() {
    local path
    for path in "${needed_repository[@]}"; do
        mkdir -p "$root/scenario/repository/$(dirname "$path")"
        cp -r "$repository/$path" "$root/scenario/repository/$path"
    done
}

pack_guest() {
    local setting
    cp -r "$here/guest/etc/." "$root/etc/"
    install -m 755 "$here/guest/init" "$root/init"
    install -m 644 "$here"/guest/{library,docker,swap,swap-daemons,verdict}.sh "$root/scenario/"
    install -m 755 "$here/scenarios/$1.sh" "$root/scenario/scenario.sh"
    # The machine gives up earlier than the host does, so that it can still say where it stands.
    cat >"$root/scenario/machine.sh" <<END
modules="${needed_modules[*]}"
time_limit=$((time_limit * 4 / 5))
END
    for setting in "${settings[@]}"; do
        printf '%s=%q\n' "${setting%%=*}" "${setting#*=}"
    done >"$root/scenario/settings.sh"
}
