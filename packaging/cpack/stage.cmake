# SPDX-License-Identifier: Apache-2.0 OR MIT
# Run by cpack between installing to its staging folder and packing it: what distributions want otherwise than a
# plain installation has it. The archive is a plain installation.

set(stage ${CPACK_TEMPORARY_DIRECTORY})
set(release ${CPACK_DEBIAN_PACKAGE_RELEASE})
set(launcher Unspecified)
set(library runtime)
set(development libduende)

# No name and no time within: the same text gives the same file.
function(compress)
  execute_process(COMMAND gzip -9 --no-name ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(split_library)
  set(from ${stage}/${development}/usr/${CPACK_DUENDE_LIBDIR})
  set(to ${stage}/${library}/usr/${CPACK_DUENDE_LIBDIR})
  file(MAKE_DIRECTORY ${to})
  file(GLOB files ${from}/libduende.so.*)
  if(NOT files)
    message(FATAL_ERROR "no shared library in ${from}")
  endif()
  foreach(file ${files})
    get_filename_component(name ${file} NAME)
    file(RENAME ${file} ${to}/${name})
  endforeach()
endfunction()

# What debuggers alone need. CPack's own stripping leaves the compiler's name in each file.
function(strip_files)
  file(GLOB_RECURSE objects LIST_DIRECTORIES OFF ${stage}/*)
  list(FILTER objects INCLUDE REGEX "/(bin/duende-run|duende-preload\\.[^/]*\\.so|libduende\\.(a|so[.0-9]*))$")
  foreach(file ${objects})
    if(file MATCHES "\\.a$")
      set(what --strip-debug --enable-deterministic-archives)
    else()
      set(what --strip-unneeded)
    endif()
    if(NOT IS_SYMLINK ${file})
      execute_process(COMMAND strip ${what} --remove-section=.comment ${file} COMMAND_ERROR_IS_FATAL ANY)
    endif()
  endforeach()
endfunction()

# The pages of one line that only name another one become links to it.
function(compress_manuals)
  file(GLOB_RECURSE pages ${stage}/*/usr/share/man/*)
  foreach(page ${pages})
    file(STRINGS ${page} include LIMIT_COUNT 1 REGEX "^\\.so man[0-9]/")
    if(include)
      string(REGEX REPLACE ".*/" "" target ${include})
      file(REMOVE ${page})
      file(CREATE_LINK ${target}.gz ${page}.gz SYMBOLIC)
    else()
      compress(${page})
    endif()
  endforeach()
endfunction()

# debian_documents COMPONENT PACKAGE: Debian Policy 12.
function(debian_documents component package)
  set(folder ${stage}/${component}/usr/share/doc/${package})
  file(COPY ${CPACK_DUENDE_SOURCE}/packaging/copyright DESTINATION ${folder})
  file(COPY_FILE ${CPACK_DUENDE_SOURCE}/CHANGELOG.md ${folder}/changelog)
  string(TIMESTAMP day "%a, %d %b %Y %H:%M:%S +0000" UTC)
  file(WRITE ${folder}/changelog.Debian "duende-run (${CPACK_PACKAGE_VERSION}-${release}) unstable; urgency=medium

  * Release ${CPACK_PACKAGE_VERSION}. Its changes are in changelog.gz.

 -- ${CPACK_PACKAGE_CONTACT}  ${day}
")
  compress(${folder}/changelog ${folder}/changelog.Debian)
  set(overrides ${CPACK_DUENDE_SOURCE}/packaging/deb/${package}.lintian-overrides)
  if(EXISTS ${overrides})
    file(MAKE_DIRECTORY ${stage}/${component}/usr/share/lintian/overrides)
    file(COPY_FILE ${overrides} ${stage}/${component}/usr/share/lintian/overrides/${package})
  endif()
endfunction()

function(stage_debian)
  # All in the copyright file, the changelog under Debian's name.
  file(REMOVE ${stage}/${launcher}/usr/share/doc/duende-run/LICENSE
    ${stage}/${launcher}/usr/share/doc/duende-run/CHANGELOG.md)
  file(REMOVE_RECURSE ${stage}/${library}/usr/share/doc)
  debian_documents(${launcher} duende-run)
  debian_documents(${library} libduende0)
  debian_documents(${development} libduende-dev)
  # Debian's folder for zsh is another one.
  file(MAKE_DIRECTORY ${stage}/${launcher}/usr/share/zsh/vendor-completions)
  file(RENAME ${stage}/${launcher}/usr/share/zsh/site-functions/_duende-run
    ${stage}/${launcher}/usr/share/zsh/vendor-completions/_duende-run)
  file(REMOVE_RECURSE ${stage}/${launcher}/usr/share/zsh/site-functions)
endfunction()

# rpm_licenses COMPONENT PACKAGE
function(rpm_licenses component package)
  set(folder ${stage}/${component}/usr/share/licenses/${package})
  file(COPY ${CPACK_DUENDE_SOURCE}/LICENSE ${CPACK_DUENDE_SOURCE}/packaging/copyright
    DESTINATION ${folder})
endfunction()

function(stage_rpm)
  file(REMOVE ${stage}/${launcher}/usr/share/doc/duende-run/LICENSE
    ${stage}/${launcher}/usr/share/doc/duende-run/copyright)
  file(REMOVE_RECURSE ${stage}/${library}/usr/share/doc)
  # rpm looks for what a library needs and provides only in files that can be executed.
  file(GLOB libraries ${stage}/${library}/usr/${CPACK_DUENDE_LIBDIR}/libduende.so.*.*)
  file(CHMOD ${libraries} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)
  rpm_licenses(${launcher} duende-run)
  rpm_licenses(${library} libduende0)
endfunction()

# Modes of what was made here, and times of all. A link's own time is in the packages too.
function(settle)
  execute_process(COMMAND chmod -R u=rwX,go=rX ${stage} COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND find ${stage} -exec
    touch --no-dereference --date=@${CPACK_DUENDE_DATE} {} + COMMAND_ERROR_IS_FATAL ANY)
endfunction()

strip_files()
if(CPACK_GENERATOR STREQUAL DEB)
  split_library()
  compress_manuals()
  stage_debian()
elseif(CPACK_GENERATOR STREQUAL RPM)
  split_library()
  compress_manuals()
  stage_rpm()
endif()
settle()
