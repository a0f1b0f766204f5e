# SPDX-License-Identifier: Apache-2.0 OR MIT
# Read by cpack for each generator, before it installs to its staging folder.

# All times in the packages: SOURCE_DATE_EPOCH, else the last commit, else, in a tree without history, the date
# of the manual page.
function(source_date result)
  if(DEFINED ENV{SOURCE_DATE_EPOCH})
    set(${result} $ENV{SOURCE_DATE_EPOCH} PARENT_SCOPE)
    return()
  endif()
  if(EXISTS ${CPACK_DUENDE_SOURCE}/.git)
    execute_process(
      COMMAND git -c safe.directory=* -C ${CPACK_DUENDE_SOURCE} log -1 --format=%ct
      OUTPUT_VARIABLE seconds OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  if(NOT seconds MATCHES "^[0-9]+$")
    file(STRINGS ${CPACK_DUENDE_SOURCE}/man/duende-run.1 title REGEX "^\\.TH ")
    string(REGEX MATCH "[0-9]+-[0-9]+-[0-9]+" day "${title}")
    execute_process(COMMAND date --utc --date=${day} +%s OUTPUT_VARIABLE seconds
      OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  endif()
  set(${result} ${seconds} PARENT_SCOPE)
endfunction()

# dpkg-shlibdeps wants a debian/control; that of the source package does not exist.
function(debian_dependencies result file)
  execute_process(COMMAND readelf -d ${file} OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
  if(NOT dynamic MATCHES "\\(NEEDED\\)")
    return()
  endif()
  file(WRITE ${CPACK_DUENDE_BUILD}/shlibdeps/debian/control "Source: duende-run\n")
  execute_process(COMMAND dpkg-shlibdeps -O ${file}
    WORKING_DIRECTORY ${CPACK_DUENDE_BUILD}/shlibdeps
    OUTPUT_VARIABLE depends OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "^.*Depends=" "" depends "${depends}")
  set(${result} "${depends}" PARENT_SCOPE)
endfunction()

source_date(CPACK_DUENDE_DATE)
# For this process and those that it starts: CMake's archives, string(TIMESTAMP), rpmbuild.
set(ENV{SOURCE_DATE_EPOCH} ${CPACK_DUENDE_DATE})
set(ENV{TZ} UTC)
set(ENV{LC_ALL} C)

if(CPACK_GENERATOR STREQUAL DEB)
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  # CPack would put the one summary before the description of each package.
  unset(CPACK_PACKAGE_DESCRIPTION_SUMMARY)
  debian_dependencies(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_DEPENDS ${CPACK_DUENDE_BUILD}/duende-run)
  debian_dependencies(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS ${CPACK_DUENDE_BUILD}/libduende.so)
elseif(CPACK_GENERATOR STREQUAL RPM)
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  string(TIMESTAMP day "%a %b %d %Y" UTC)
  file(WRITE ${CPACK_RPM_CHANGELOG_FILE} "* ${day} ${CPACK_PACKAGE_CONTACT} - \
${CPACK_PACKAGE_VERSION}-${CPACK_RPM_PACKAGE_RELEASE}\n- Release ${CPACK_PACKAGE_VERSION}, see CHANGELOG.md\n")
endif()
