# SPDX-License-Identifier: Apache-2.0 OR MIT
# Run by cpack once the packages are there: packs again what CPack packs with traces of the place. In its
# archives these are owner, mode and order of files; in its Debian packages the umask, and a size in which the
# file system's folders count.

set(unpacked ${CPACK_DUENDE_BUILD}/unpacked)

function(must)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(archive_again archive)
  must(tar --directory=${unpacked} -xzf ${archive})
  must(tar --directory=${unpacked} --sort=name --format=gnu --owner=root:0 --group=root:0
    --mode=u+rwX,go+rX,go-w --mtime=@${CPACK_DUENDE_DATE} -cf ${archive}.tar ${CPACK_PACKAGE_FILE_NAME})
  execute_process(COMMAND gzip -9 --no-name --stdout ${archive}.tar OUTPUT_FILE ${archive}
    COMMAND_ERROR_IS_FATAL ANY)
  file(REMOVE ${archive}.tar)
endfunction()

# installed_size RESULT: KiB, as dpkg-gencontrol counts: files rounded up, 1 for everything else.
function(installed_size result)
  file(GLOB_RECURSE entries LIST_DIRECTORIES ON ${unpacked}/usr/*)
  set(sum 1)
  foreach(entry ${entries})
    set(size 1024)
    if(NOT IS_DIRECTORY ${entry} AND NOT IS_SYMLINK ${entry})
      file(SIZE ${entry} size)
    endif()
    math(EXPR sum "${sum} + (${size} + 1023) / 1024")
  endforeach()
  set(${result} ${sum} PARENT_SCOPE)
endfunction()

# Not in the reach of CPack 3.25: libraries of several architectures side by side, and a launcher that
# serves packages of every architecture.
function(multi_arch result control)
  set(${result} same PARENT_SCOPE)
  if(control MATCHES "Package: duende-run\n")
    set(${result} foreign PARENT_SCOPE)
  endif()
endfunction()

function(debian_package_again package)
  set(control_file ${unpacked}/DEBIAN/control)
  must(dpkg-deb --raw-extract ${package} ${unpacked})
  file(READ ${control_file} control)
  installed_size(size)
  multi_arch(side_by_side "${control}")
  string(REGEX REPLACE "Installed-Size: [^\n]*\n" "Installed-Size: ${size}\nMulti-Arch: ${side_by_side}\n"
    control "${control}")
  string(STRIP "${control}" control)
  file(WRITE ${control_file} "${control}\n")
  must(chmod -R u=rwX,go=rX ${unpacked})
  must(find ${unpacked} -exec touch --no-dereference --date=@${CPACK_DUENDE_DATE} {} +)
  # One thread: what several write depends on how many there are.
  must(dpkg-deb --root-owner-group --threads-max=1 -Zxz --build ${unpacked} ${package})
endfunction()

foreach(package ${CPACK_PACKAGE_FILES})
  file(REMOVE_RECURSE ${unpacked})
  if(CPACK_GENERATOR STREQUAL TGZ)
    file(MAKE_DIRECTORY ${unpacked})
    archive_again(${package})
  elseif(CPACK_GENERATOR STREQUAL DEB)
    debian_package_again(${package})
  endif()
endforeach()
file(REMOVE_RECURSE ${unpacked})
