# SPDX-License-Identifier: Apache-2.0 OR MIT
# Packages: deb, rpm and tar.gz. packaging/package.sh builds each of them with the folders of its kind.
#
# What is known here goes into CPackConfig.cmake; what needs the finished build is in cpack/options.cmake, what
# Debian and rpm want otherwise than a plain installation has it in cpack/stage.cmake.

set(CPACK_PACKAGE_NAME duende-run)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR "duende-run authors")
# .invalid (RFC 2606) is nobody's: whoever distributes the packages puts the own address here.
set(CPACK_PACKAGE_CONTACT "duende-run authors <duende-run@packages.invalid>" CACHE STRING
  "Maintainer of the packages")
set(CPACK_PACKAGE_FILE_NAME duende-run-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_RESOURCE_FILE_README ${CMAKE_SOURCE_DIR}/README.md)
set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_RELOCATABLE OFF)
set(CPACK_VERBATIM_VARIABLES ON)
# Else the umask decides.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
  GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/packaging/cpack/options.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/packaging/cpack/stage.cmake)
set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/packaging/cpack/repack.cmake)
set(CPACK_DUENDE_SOURCE ${CMAKE_SOURCE_DIR})
set(CPACK_DUENDE_BUILD ${CMAKE_BINARY_DIR})
set(CPACK_DUENDE_LIBDIR ${CMAKE_INSTALL_LIBDIR})

# The licenses of what is linked in: inih's asks for its text beside the program.
install(FILES packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Three packages: the launcher (rules that name no component), libduende to run with, and to build with.
# cpack/stage.cmake moves the shared library to the second one, which exists because of this rule.
install(FILES packaging/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libduende
  COMPONENT runtime EXCLUDE_FROM_ALL)
set(CPACK_COMPONENTS_ALL Unspecified runtime libduende)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_RPM_COMPONENT_INSTALL ON)
set(CPACK_ARCHIVE_COMPONENT_INSTALL OFF)

set(launcher_summary "run an unmodified program with its memory locked in RAM")
set(launcher_description "duende-run starts a daemon so that its memory is locked before its main() runs,
proves it from the kernel's evidence, and gets out of the way: same PID, no
supervisor. It is for daemons that must not wait for their own pages, above all
those that serve a swap device. With --required a program that cannot be locked
is not started, and the message names the cause and a remedy.")
set(library_description "libduende lets a daemon that can be changed lock its own memory at its start,
refuses locks that would fail later, and proves the lock from /proc.")

# --- Debian ----------------------------------------------------------------------------------------------

set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SOURCE duende-run)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_NAME duende-run)
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_UNSPECIFIED_DESCRIPTION "${launcher_summary}\n${launcher_description}")

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libduende0)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION
  "memory locking for daemons - shared library\n${library_description}")
# Not CPack's shlibs, which come with maintainer scripts that call ldconfig: Debian Policy 8.1.1 wants the trigger.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/deb/libduende0/shlibs
  ${CMAKE_SOURCE_DIR}/packaging/deb/libduende0/symbols
  ${CMAKE_SOURCE_DIR}/packaging/deb/libduende0/triggers)

set(CPACK_DEBIAN_LIBDUENDE_PACKAGE_NAME libduende-dev)
set(CPACK_DEBIAN_LIBDUENDE_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBDUENDE_PACKAGE_DEPENDS
  "libduende0 (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_LIBDUENDE_DESCRIPTION "memory locking for daemons - development files
${library_description}
.
This package has the header, the static library, the manual pages, and the
files for pkg-config and CMake.")

# --- rpm -------------------------------------------------------------------------------------------------

set(CPACK_RPM_PACKAGE_RELEASE 1)
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_COMPRESSION_TYPE xz)
set(CPACK_RPM_PACKAGE_GROUP "System Environment/Base")
set(CPACK_RPM_PACKAGE_LICENSE "(Apache-2.0 OR MIT) AND BSD-3-Clause AND LGPL-2.1-or-later AND MIT")
set(CPACK_RPM_CHANGELOG_FILE ${CMAKE_BINARY_DIR}/changelog.rpm)
# The staged files are as they should be; Debian's rpmbuild would strip and compress them again.
set(CPACK_RPM_SPEC_INSTALL_POST "%{nil}")
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _buildhost localhost
%define use_source_date_epoch_as_buildtime 1
%define clamp_mtime_to_source_date_epoch 1
%define _build_id_links none
Packager: ${CPACK_PACKAGE_CONTACT}")

set(CPACK_RPM_UNSPECIFIED_PACKAGE_NAME duende-run)
set(CPACK_RPM_UNSPECIFIED_PACKAGE_SUMMARY "Run an unmodified program with its memory locked in RAM")
set(CPACK_RPM_UNSPECIFIED_PACKAGE_DESCRIPTION "${launcher_description}")
# The helpers are nobody else's libraries.
set(CPACK_RPM_UNSPECIFIED_PACKAGE_AUTOPROV OFF)
set(CPACK_RPM_UNSPECIFIED_USER_FILELIST "%license /usr/share/licenses/duende-run/LICENSE"
  "%license /usr/share/licenses/duende-run/copyright")
# rpm takes the static launcher's own relocations for a need of glibc's loader.
if(DUENDE_HAVE_MUSL OR (DUENDE_HAVE_STATIC AND DUENDE_STATIC))
  set(CPACK_RPM_UNSPECIFIED_PACKAGE_AUTOREQ OFF)
endif()

set(CPACK_RPM_RUNTIME_PACKAGE_NAME libduende0)
set(CPACK_RPM_RUNTIME_PACKAGE_GROUP "System Environment/Libraries")
set(CPACK_RPM_RUNTIME_PACKAGE_SUMMARY "Memory locking for daemons")
set(CPACK_RPM_RUNTIME_PACKAGE_DESCRIPTION "${library_description}")
set(CPACK_RPM_RUNTIME_USER_FILELIST "%license /usr/share/licenses/libduende0/LICENSE"
  "%license /usr/share/licenses/libduende0/copyright")

set(CPACK_RPM_LIBDUENDE_PACKAGE_NAME libduende-devel)
set(CPACK_RPM_LIBDUENDE_PACKAGE_GROUP "Development/Libraries")
set(CPACK_RPM_LIBDUENDE_PACKAGE_SUMMARY "Development files of libduende")
set(CPACK_RPM_LIBDUENDE_PACKAGE_DESCRIPTION "${library_description}
This package has the header, the static library, the manual pages, and the
files for pkg-config and CMake.")
set(CPACK_RPM_LIBDUENDE_PACKAGE_REQUIRES
  "libduende0%{?_isa} = ${PROJECT_VERSION}-${CPACK_RPM_PACKAGE_RELEASE}")

# What the distributions' filesystem package, or a package that every user of the folder has, owns.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /usr/${CMAKE_INSTALL_LIBDIR}
  /usr/${CMAKE_INSTALL_LIBDIR}/cmake /usr/${CMAKE_INSTALL_LIBDIR}/pkgconfig /usr/share/licenses
  /usr/share/man /usr/share/man/man1 /usr/share/man/man3 /usr/share/man/man5)

include(CPack)
