#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A repository from which `dnf --installroot` makes a root that is rpm's own: rpm-root.sh prints its folder, and builds it once
# into DUENDE_CACHE.
#
# It needs no mirror but Debian's: these are Debian's programs and libraries in rpm packages, laid out as in Fedora: one /usr,
# libraries in /usr/lib64, a package "filesystem" that owns the common folders. What a package needs and provides is what rpm's
# own generators find in its files (libc.so.6(GLIBC_2.34)(64bit), …), but for what Fedora's spec files declare by hand as well.
# Needs root, apt's mirrors, createrepo-c, dpkg-dev and rpm.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=engine.sh disable=SC1091
. "$here/engine.sh"

# A shell, a daemon, a package that libduende-devel needs, rpm, and the libraries of all these.
packages=(
    bash coreutils libacl1 libattr1 libc6 libgcc-s1 libgmp10 libpcre2-8-0 libselinux1 libtinfo6
    nbdkit libffi8 libgnutls30 libhogweed6 libidn2-0 libnettle8 libp11-kit0 libtasn1-6 libunistring2 libzstd1
    pkgconf pkgconf-bin libpkgconf3
    rpm rpm-common libbz2-1.0 libcap2 libgcrypt20 libgpg-error0 liblua5.3-0 liblzma5 libpopt0 librpm9 librpmio9 libsqlite3-0 libstdc++6
    zlib1g
)

main() {
    local cache architecture repository
    cache=$(engine_cache)
    architecture=$(dpkg --print-architecture)
    repository=$cache/rpm-root-$architecture-$(sha256sum "${BASH_SOURCE[0]}" | cut -c 1-12)
    exec 9>"$cache/rpm-root.lock"
    flock -w 600 9
    if [ ! -d "$repository" ]; then
        engine_say "building $repository"
        rm -rf "$cache/rpm-root-$architecture"-*
        build "$repository.part" >&2
        mv "$repository.part" "$repository"
    fi
    printf '%s\n' "$repository"
}

# build FOLDER
build() {
    work=$(mktemp -d "$(engine_scratch)/duende-rpm-root.XXXXXX")
    trap 'rm -rf --one-file-system "$work"' EXIT
    triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
    mkdir "$work/debian" "$work/stage" "$work/lists"
    download
    stage_filesystem
    specification_head >"$work/root.spec"
    for package in "$work"/debian/*.deb; do
        stage "$package"
        specification_of "$package" >>"$work/root.spec"
    done
    merge
    rpmbuild -bb --quiet --define "_topdir $work/rpm" --define "_rpmdir $1" --buildroot "$work/root" "$work/root.spec"
    createrepo_c --quiet "$1"
}

download() {
    (cd "$work/debian" && { apt_download || { apt-get update -q && apt_download; }; })
}

apt_download() { apt-get -q -o APT::Sandbox::User=root download "${packages[@]}"; }

# --- files ------------------------------------------------------------------------------------------------------------------

# As in Fedora's package of this name, and the folder of libraries under Debian's name too, which is compiled into the loader and
# into nbdkit.
stage_filesystem() {
    local name root=$work/stage/filesystem
    mkdir -p "$root"/{dev,proc,sys,run,root,tmp,etc/rpm,var/{cache,lib/rpm,log,tmp},usr/{bin,include,lib,lib64/{cmake,pkgconfig},sbin}} \
        "$root"/usr/share/{doc,licenses,man/man{1,3,5}}
    chmod 1777 "$root/tmp" "$root/var/tmp"
    chmod 555 "$root/proc" "$root/sys"
    for name in bin lib lib64 sbin; do
        ln -s "usr/$name" "$root/$name"
    done
    ln -s ../lib64 "$root/usr/lib/$triplet"
    ln -s ../run "$root/var/run"
    # Debian's rpm has its database in the user's home.
    echo '%_dbpath /var/lib/rpm' >"$root/etc/rpm/macros.dbpath"
}

# stage DEB: its files where Fedora has them, in a folder of the package's name.
stage() {
    local root
    root=$work/stage/$(package_field "$1" Package)
    dpkg-deb -x "$1" "$root"
    move "$root" "lib/$triplet" usr/lib64
    move "$root" "usr/lib/$triplet" usr/lib64
    # Only now: its link to the loader of x86-64 would be in the loader's place.
    move "$root" lib64 usr/lib64
    move "$root" lib usr/lib
    move "$root" bin usr/bin
    move "$root" sbin usr/sbin
    leave_out "$root"
    # In Debian another shell has this name.
    [ ! -e "$root/usr/bin/bash" ] || ln -s bash "$root/usr/bin/sh"
    # rpm looks for what a library needs and provides only in files that can be executed.
    find "$root" -name '*.so*' -type f -exec chmod 755 {} +
    find "$root" -depth -type d -empty -delete
}

# move ROOT FROM TO: what is in one folder to another one, where it replaces nothing.
move() {
    [ -d "$1/$2" ] || return 0
    mkdir -p "$1/$3"
    cp -a --no-clobber "$1/$2/." "$1/$3/"
    rm -r "${1:?}/$2"
}

# Documentation, and what distributions have in packages of their own because it needs much more.
leave_out() {
    rm -rf "$1"/usr/share/{doc,gcc,gdb,info,lintian,locale,man,menu}
    case ${1##*/} in
        libc6) rm -r "$1/usr/lib64/gconv" ;;
        libgcrypt20) rm -r "$1/usr/share/libgcrypt20" ;;
        nbdkit)
            rm -r "$1/usr/lib64/nbdkit/filters"
            find "$1/usr/lib64/nbdkit/plugins" -type f ! -name nbdkit-memory-plugin.so -delete
            ;;
        rpm)
            rm "$1"/usr/bin/{gendiff,rpmbuild,rpmgraph,rpmlua,rpmsign,rpmspec}
            find "$1/usr/lib/rpm" -type f ! -name 'rpmpopt-*' -delete
            ;;
        rpm-common) rm -r "$1/usr/lib64/rpm-plugins" ;;
    esac
}

# All packages in one tree, and a list of files and folders for each. The folders of filesystem are nobody else's.
merge() {
    local package name
    (cd "$work/stage/filesystem" && find . -mindepth 1 -type d -printf '/%P\n') | sort >"$work/folders"
    mkdir "$work/root"
    for package in "$work"/stage/*; do
        name=${package##*/}
        cp -a "$package/." "$work/root/"
        {
            (cd "$package" && find . -mindepth 1 -type d -printf '/%P\n') | sort |
                if [ "$name" = filesystem ]; then cat; else comm -23 - "$work/folders"; fi | sed 's/.*/%dir "&"/'
            (cd "$package" && find . ! -type d -printf '"/%P"\n')
        } >"$work/lists/$name"
    done
}

# --- the specification ------------------------------------------------------------------------------------------------------

package_field() { dpkg-deb -f "$1" "$2"; }

specification_head() {
    cat <<END
%define __os_install_post %{nil}
%define _build_id_links none
%define _binary_payload w3.zstdio
Name: filesystem
Version: 12
Release: 1
Summary: The folders that packages share
License: none
%description
The folders that packages share.
%files -f $work/lists/filesystem
END
}

# specification_of DEB: epoch, version and release are Debian's.
specification_of() {
    local name version epoch=0
    name=$(package_field "$1" Package)
    version=$(package_field "$1" Version)
    [[ $version != *:* ]] || epoch=${version%%:*} version=${version#*:}
    [[ $version == *-* ]] || version+=-1
    cat <<END
%package -n $name
Epoch: $epoch
Version: ${version%-*}
Release: ${version##*-}
Summary: $name of Debian
License: see Debian's package
Requires: filesystem
$(declared_by_hand "$name")
%description -n $name
$name of Debian.
%files -n $name -f $work/lists/$name
END
}

# As in Fedora's glibc.spec, bash.spec, pkgconf.spec; and configuration without which rpm does not start.
declared_by_hand() {
    case $1 in
        libc6) echo 'Provides: rtld(GNU_HASH)' ;;
        bash) printf 'Provides: %s\n' /bin/sh /bin/bash ;;
        pkgconf) echo 'Requires: pkgconf-bin' ;;
        rpm) echo 'Requires: rpm-common' ;;
    esac
}

main
