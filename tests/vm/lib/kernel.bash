# shellcheck shell=bash disable=SC2034,SC2154 # the parts of run share its variables
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Debian's kernels, unpacked into the cache and never installed: the cloud kernel of this host's own Debian release
# ("stable"), or of Debian 12's backports ("backports"), which is 6.12 and has ublk_drv; the kernel for every machine
# ("generic"), which has the x32 ABI where the cloud kernel has none; that of Debian 12's backports for aarch64 with
# pages of 16 KiB ("16k").

# Sets what differs between the architectures.
describe_architecture() {
    machine_architecture=$1
    case $machine_architecture in
        x86_64)
            debian_architecture=amd64
            emulator=qemu-system-x86_64
            emulator_package=qemu-system-x86
            # microvm hangs while it calibrates its clock without KVM.
            emulator_arguments=(-M pc)
            # A random number instruction: the kernel has its random numbers, and has patched itself for them,
            # before it starts a second processor (see emulator_erred).
            processor=qemu64,+rdrand
            console=ttyS0
            # The triple fault that "t" means ends QEMU through -no-reboot.
            # A busy host may be late with the ticks that the kernel counts to see whether its timer works.
            kernel_arguments="reboot=t no_timer_check"
            cross_prefix=
            ;;
        aarch64)
            debian_architecture=arm64
            emulator=qemu-system-aarch64
            emulator_package=qemu-system-arm
            emulator_arguments=(-M virt)
            processor=cortex-a57
            console=ttyAMA0
            kernel_arguments=
            cross_prefix=aarch64-linux-gnu-
            ;;
        *) usage_error "unknown architecture $machine_architecture" ;;
    esac
    require_command "$emulator" "$emulator_package"
    foreign=no
    [[ $(uname -m) == "$machine_architecture" ]] || foreign=yes
    # The same compiler serves a host that is of that architecture itself.
    [[ $foreign == yes ]] || cross_prefix=
    [[ $foreign == no ]] || build=${DUENDE_CROSS_BUILD:-$repository/build-$machine_architecture}
}

is_kernel() {
    [[ $1 =~ ^(stable|backports|generic|16k)$ ]]
}

# Sets kernel_image, kernel_release and kernel_modules (a folder as depmod's -b wants it).
prepare_kernel() {
    local folder=$cache/kernel-$kernel-$machine_architecture meta_package=linux-image-cloud-$debian_architecture

    case $kernel-$machine_architecture in
        stable-*) folder=$cache/kernel-$machine_architecture ;;
        # With cmpxchg16b this kernel does not boot under emulation.
        backports-x86_64) processor+=,-cx16 ;;
        generic-*) meta_package=linux-image-$debian_architecture ;;
        16k-aarch64)
            meta_package=linux-image-arm64-16k
            # The older processor has pages of 4 and 64 KiB alone.
            processor=neoverse-n1
            ;;
        16k-*) usage_error "the kernel with pages of 16 KiB is for aarch64" ;;
    esac
    [[ -e $folder/release ]] || unpack_kernel "$folder"
    kernel_release=$(<"$folder/release")
    kernel_image=$folder/image
    kernel_modules=$folder/tree
}

unpack_kernel() {
    local folder=$1 scratch package release apt_options

    require_command apt-get apt
    require_command busybox busybox-static
    scratch=$(mktemp -d "$cache/kernel.XXXXXX")
    "find_${kernel}_package"
    [[ -n $package ]] || unavailable "apt knows no $kernel kernel package for $debian_architecture; apt-get update?"
    note "unpacking $package"
    "unpack_${kernel}_package" || unavailable "package $package cannot be downloaded"
    release=$(basename "$scratch"/tree/lib/modules/*)
    extract_image "$scratch/tree/boot/vmlinuz-$release" "$scratch/image"
    require_command xz xz-utils
    # No emulated machine has the devices, and there are thousands.
    rm -rf "$scratch"/tree/lib/modules/*/kernel/{sound,drivers/{gpu,media,net,staging}}
    find "$scratch/tree/lib/modules" -name '*.ko.xz' -exec xz -d {} +
    # The package leaves this to its post-installation script, which never runs.
    busybox depmod -b "$scratch/tree" "$release"
    rm -r "$scratch/tree/boot"
    echo "$release" >"$scratch/release"
    # Into its place only when complete: an interrupted run leaves no half kernel.
    rm -rf "$folder"
    mv "$scratch" "$folder"
}

find_generic_package() {
    find_stable_package
}

find_16k_package() {
    find_backports_package
}

find_stable_package() {
    debian_lists "$debian_architecture" || unavailable "apt-get update failed for $debian_architecture"
    package=$(kernel_package)
    [[ -z $package ]] || return 0
    # Container images come without apt's lists.
    debian_update "$debian_architecture" || true
    package=$(kernel_package)
}

# With sources and state of its own, whether or not this host has backports among its own sources.
find_backports_package() {
    local state=$debian_cache/apt-backports-$debian_architecture mirror key

    key=/usr/share/keyrings/debian-archive-keyring.gpg
    [[ -e $key ]] || unavailable "$key is missing (Debian package debian-archive-keyring)"
    mirror=$(debian_mirror)
    [[ -n $mirror ]] || unavailable "apt knows no mirror of Debian; apt-get update?"
    mkdir -p "$state"/{lists/partial,archives/partial}
    : >"$state/status"
    echo "deb [signed-by=$key] $mirror bookworm-backports main" >"$state/sources.list"
    apt_options=(
        -qq -o APT::Sandbox::User=root
        -o "APT::Architecture=$debian_architecture" -o "APT::Architectures::=$debian_architecture"
        -o "Dir::Etc::SourceList=$state/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State=$state" -o "Dir::State::status=$state/status" -o "Dir::State::lists=$state/lists"
        -o "Dir::Cache=$state"
    )
    flock "$state" apt-get "${apt_options[@]}" update >&2 || unavailable "bookworm-backports cannot be reached"
    package=$(kernel_package)
}

# The mirror of this host's own Debian release, not that of its security updates.
debian_mirror() {
    # shellcheck disable=SC2016 # apt's variables
    apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
        sed -n 's/ Debian Debian$//p' | head -n 1
}

kernel_package() {
    apt-cache "${apt_options[@]}" depends "$meta_package" 2>/dev/null |
        sed -n 's/^ *Depends: *\(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1
}

unpack_generic_package() {
    unpack_stable_package
}

unpack_16k_package() {
    unpack_backports_package
}

unpack_stable_package() {
    debian_unpack "$package" "$debian_architecture" "$scratch/tree"
}

unpack_backports_package() {
    mkdir "$scratch/package"
    (cd "$scratch/package" && apt-get "${apt_options[@]}" download "$package" >&2) &&
        dpkg-deb -x "$scratch"/package/*.deb "$scratch/tree" &&
        rm -r "$scratch/package"
}

# QEMU enters an x86 vmlinux through its PVH note. That leaves out the kernel's own decompressor,
# which takes longer than all the rest of the boot under emulation. An arm64 image is not compressed.
extract_image() {
    local image=$1 result=$2 setup_sectors offset length magic expand

    if [[ $machine_architecture != x86_64 ]]; then
        cp "$image" "$result"
        return
    fi
    # Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length.
    setup_sectors=$(read_number "$image" 497 1)
    offset=$(((setup_sectors + 1) * 512 + $(read_number "$image" 584 4)))
    length=$(read_number "$image" 588 4)
    magic=$(od -An -tx1 -j "$offset" -N 4 "$image" | tr -d ' \n')
    case $magic in
        02214c18) expand=(lz4 -dc) ;;
        28b52ffd) expand=(zstd -dc) ;;
        fd377a58) expand=(xz -dc) ;;
        1f8b08*) expand=(gzip -dc) ;;
        *) unavailable "kernel payload has the unknown magic $magic" ;;
    esac
    require_command "${expand[0]}" "${expand[0]/#xz/xz-utils}"
    # The last four bytes are the length of the whole, which is no part of the compressed stream
    # (gzip has the same field as its own).
    [[ ${expand[0]} == gzip ]] || length=$((length - 4))
    dd if="$image" iflag=skip_bytes,count_bytes,fullblock bs=1M skip="$offset" count="$length" status=none |
        "${expand[@]}" >"$result"
}

read_number() {
    od -An -tu"$3" -j "$2" -N "$3" "$1" | tr -d ' \n'
}
