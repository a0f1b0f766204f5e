# SPDX-License-Identifier: Apache-2.0 OR MIT
# The launcher linked with musl, by the compiler that builds everything else, where that one's own C library is another.
#
# libcap-ng and inih are the system's own archives, compiled for its own C library. On 64-bit machines what they ask of it is
# the same in both but for what fortify.c has; a program that uses them is linked and run before that is believed.

# musl's folders: Debian's (lib/x86_64-linux-musl), Fedora's (x86_64-linux-musl/lib64), Arch's and musl's own (musl/lib).
string(REGEX REPLACE "^arm64$" "aarch64" musl_triplet "${CMAKE_SYSTEM_PROCESSOR}")
string(REGEX REPLACE "^(amd64|AMD64)$" "x86_64" musl_triplet "${musl_triplet}")
set(musl_triplet ${musl_triplet}-linux-musl)
set(musl_root $ENV{PKG_CONFIG_SYSROOT_DIR})
set(musl_prefixes ${musl_root}/usr ${musl_root}/usr/local)
find_file(DUENDE_MUSL_START rcrt1.o NO_DEFAULT_PATH PATHS ${musl_prefixes}
  PATH_SUFFIXES lib/${musl_triplet} ${musl_triplet}/lib64 ${musl_triplet}/lib lib/musl/lib musl/lib)
find_path(DUENDE_MUSL_INCLUDE bits/alltypes.h NO_DEFAULT_PATH PATHS ${musl_prefixes}
  PATH_SUFFIXES include/${musl_triplet} ${musl_triplet}/include lib/musl/include musl/include)
find_library(DUENDE_MUSL_CAPNG libcap-ng.a NO_CMAKE_FIND_ROOT_PATH
  HINTS ${musl_root}${CAPNG_LIBDIR} ${CAPNG_LIBDIR} ${CAPNG_LIBRARY_DIRS})
find_library(DUENDE_MUSL_INIH libinih.a NO_CMAKE_FIND_ROOT_PATH
  HINTS ${musl_root}${INIH_LIBDIR} ${INIH_LIBDIR} ${INIH_LIBRARY_DIRS})
mark_as_advanced(DUENDE_MUSL_START DUENDE_MUSL_INCLUDE DUENDE_MUSL_CAPNG DUENDE_MUSL_INIH)

set(musl_folder ${CMAKE_CURRENT_LIST_DIR})
set(musl_headers ${CMAKE_BINARY_DIR}/musl-headers)
# They take the place of symbols in libc.a, or nothing refers to them: they must not be in an archive.
set(musl_sources ${musl_folder}/fortify.c ${musl_folder}/relro.c)

# Of the system's headers those of the kernel and of the two libraries, and nothing of its C library.
function(link_musl_headers)
  file(MAKE_DIRECTORY ${musl_headers})
  foreach(header linux asm asm-generic cap-ng.h ini.h)
    unset(folder)
    find_path(folder ${header} NO_CACHE NO_DEFAULT_PATH
      PATHS ${CAPNG_INCLUDE_DIRS} ${INIH_INCLUDE_DIRS} ${CMAKE_C_IMPLICIT_INCLUDE_DIRECTORIES})
    if(folder)
      file(CREATE_LINK ${folder}/${header} ${musl_headers}/${header} SYMBOLIC)
    endif()
  endforeach()
endfunction()

function(musl_flags compile before after)
  execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
    OUTPUT_VARIABLE compiler_headers OUTPUT_STRIP_TRAILING_WHITESPACE)
  get_filename_component(folder ${DUENDE_MUSL_START} DIRECTORY)
  set(${compile} -nostdinc -isystem ${DUENDE_MUSL_INCLUDE} -isystem ${compiler_headers}
    -isystem ${musl_headers} PARENT_SCOPE)
  set(${before} -static-pie -nostdlib ${folder}/rcrt1.o ${folder}/crti.o PARENT_SCOPE)
  set(${after} ${DUENDE_MUSL_CAPNG} ${DUENDE_MUSL_INIH} ${folder}/libc.a -lgcc ${folder}/crtn.o
    PARENT_SCOPE)
endfunction()

# Sets `result` to ON, or to OFF and `reason` to why not.
function(find_musl result reason)
  set(${result} OFF PARENT_SCOPE)
  if(NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
    set(${reason} "this is no 64-bit machine" PARENT_SCOPE)
    return()
  endif()
  foreach(file START INCLUDE CAPNG INIH)
    if(NOT DUENDE_MUSL_${file})
      set(${reason} "DUENDE_MUSL_${file} was not found" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
    set(${reason} "a program for another machine cannot be tried (CMAKE_CROSSCOMPILING_EMULATOR)"
      PARENT_SCOPE)
    return()
  endif()
  link_musl_headers()
  musl_flags(compile before after)
  separate_arguments(given UNIX_COMMAND "${CMAKE_C_FLAGS} ${CMAKE_EXE_LINKER_FLAGS}")
  set(program ${CMAKE_BINARY_DIR}/musl-trial)
  execute_process(COMMAND ${CMAKE_C_COMPILER} ${given} ${compile} -D_GNU_SOURCE -fPIE -o ${program}
      ${before} ${musl_folder}/trial.c ${musl_sources} ${after}
    RESULT_VARIABLE error OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(error EQUAL 0)
    execute_process(COMMAND ${CMAKE_CROSSCOMPILING_EMULATOR} ${program}
      RESULT_VARIABLE error OUTPUT_VARIABLE output ERROR_VARIABLE output)
    string(PREPEND output "the trial program: ${error} ")
  endif()
  if(error EQUAL 0)
    set(${result} ON PARENT_SCOPE)
  endif()
  set(${reason} "${output}" PARENT_SCOPE)
endfunction()

# Small: what is not there need not be mapped, read and taken down again.
function(link_with_musl target)
  musl_flags(compile before after)
  list(JOIN compile " " compile) # as one, or CMake drops the second -isystem as a duplicate
  target_sources(${target} PRIVATE ${musl_sources})
  target_compile_options(${target} PRIVATE "SHELL:${compile}" $<$<CONFIG:Release>:-Os>
    -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables)
  target_link_options(${target} PRIVATE ${before})
  target_link_libraries(${target} PRIVATE ${after})
endfunction()
