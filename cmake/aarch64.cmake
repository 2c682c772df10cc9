# Cross-compiles for ARM on a machine that is none, to run NEON under qemu. Only the compiler, the C library, GoogleTest's
# sources and fmt's headers are needed, no arm64 package of a library. LINNET_AARCH64 says whether it can be done here.
find_program(LINNET_AARCH64_CXX aarch64-linux-gnu-g++)
find_program(LINNET_AARCH64_AR aarch64-linux-gnu-ar)
find_program(LINNET_QEMU_AARCH64 qemu-aarch64)
find_path(LINNET_GTEST_SOURCE src/gtest-all.cc PATHS /usr/src/googletest/googletest NO_DEFAULT_PATH)
find_path(LINNET_FMT_HEADERS fmt/core.h)
set(LINNET_AARCH64 OFF)
if(LINNET_AARCH64_CXX AND LINNET_AARCH64_AR AND LINNET_QEMU_AARCH64 AND LINNET_GTEST_SOURCE AND LINNET_FMT_HEADERS)
  set(LINNET_AARCH64 ON)
  set(LINNET_AARCH64_FOLDER ${CMAKE_BINARY_DIR}/aarch64)
  file(MAKE_DIRECTORY ${LINNET_AARCH64_FOLDER}/include)
  file(CREATE_LINK ${LINNET_FMT_HEADERS}/fmt ${LINNET_AARCH64_FOLDER}/include/fmt SYMBOLIC)
endif()

# linnet_aarch64_sources(OUT TARGETS...): a room's sources with their whole paths.
function(linnet_aarch64_sources out)
  set(sources)
  foreach(target ${ARGN})
    get_target_property(names ${target} SOURCES)
    get_target_property(where ${target} SOURCE_DIR)
    list(TRANSFORM names PREPEND ${where}/)
    list(APPEND sources ${names})
  endforeach()
  set(${out} ${sources} PARENT_SCOPE)
endfunction()

# linnet_aarch64_objects(OUT SOURCES...)
function(linnet_aarch64_objects out)
  # -O1: qemu is what takes the time.
  set(flags -std=c++23 -O1 -ffp-contract=off -Wall -Wextra -Wno-psabi -Wno-maybe-uninitialized
            -DLINNET_SOURCE_DIR="${CMAKE_SOURCE_DIR}" -I${LINNET_AARCH64_FOLDER}/include -I${CMAKE_SOURCE_DIR}/src
            -I${CMAKE_SOURCE_DIR}/tests/support -I${LINNET_GTEST_SOURCE}/include -I${LINNET_GTEST_SOURCE})
  set(objects)
  foreach(source ${ARGN})
    string(SHA1 id ${source})
    string(SUBSTRING ${id} 0 8 id)
    cmake_path(GET source STEM stem)
    set(object ${LINNET_AARCH64_FOLDER}/${stem}-${id}.o)
    set(extra)
    if(stem STREQUAL aarch64_fmt)
      set(extra -O0 -fkeep-inline-functions)
    elseif(stem MATCHES "neon_dot$")
      set(extra -march=armv8.2-a+dotprod)
    endif()
    add_custom_command(OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d VERBATIM
                       COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${LINNET_AARCH64_CXX} ${flags} ${extra} -MD -MF ${object}.d
                               -c ${source} -o ${object})
    list(APPEND objects ${object})
  endforeach()
  set(${out} ${objects} PARENT_SCOPE)
endfunction()

# linnet_aarch64_library(NAME SOURCES...)
function(linnet_aarch64_library name)
  linnet_aarch64_objects(objects ${ARGN} ${CMAKE_SOURCE_DIR}/cmake/aarch64_fmt.cpp)
  set(archive ${LINNET_AARCH64_FOLDER}/${name}.a)
  add_custom_command(OUTPUT ${archive} DEPENDS ${objects} VERBATIM
                     COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
                     COMMAND ${LINNET_AARCH64_AR} rc ${archive} ${objects})
  add_custom_target(${name} DEPENDS ${archive})
endfunction()

# linnet_aarch64_program(NAME LIBRARY SOURCES...): LINNET_AARCH64_FOLDER/NAME.
function(linnet_aarch64_program name library)
  linnet_aarch64_objects(objects ${ARGN})
  set(archive ${LINNET_AARCH64_FOLDER}/${library}.a)
  set(program ${LINNET_AARCH64_FOLDER}/${name})
  add_custom_command(OUTPUT ${program} DEPENDS ${objects} ${library} ${archive} VERBATIM
                     COMMAND ${LINNET_AARCH64_CXX} -static -o ${program} ${objects} ${archive} -lpthread)
  add_custom_target(${name} ALL DEPENDS ${program})
endfunction()
