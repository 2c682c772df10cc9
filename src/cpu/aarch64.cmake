# The NEON kernels on a machine that has none: the executor and its tests, cross-compiled and run by qemu. Included by
# CMakeLists.txt. Only the compiler, the C library, GoogleTest's sources and fmt's headers are needed, no arm64 package
# of a library.
find_program(LINNET_AARCH64_CXX aarch64-linux-gnu-g++)
find_program(LINNET_QEMU_AARCH64 qemu-aarch64)
find_path(LINNET_GTEST_SOURCE src/gtest-all.cc PATHS /usr/src/googletest/googletest NO_DEFAULT_PATH)
find_path(LINNET_FMT_HEADERS fmt/core.h)
if(NOT LINNET_AARCH64_CXX OR NOT LINNET_QEMU_AARCH64 OR NOT LINNET_GTEST_SOURCE OR NOT LINNET_FMT_HEADERS)
  add_test(NAME cpu_aarch64.skipped COMMAND ${CMAKE_COMMAND} -E echo
           "skipped: g++-aarch64-linux-gnu, qemu-user or googletest is absent, so NEON is not tested here")
  set_tests_properties(cpu_aarch64.skipped PROPERTIES SKIP_REGULAR_EXPRESSION "skipped:")
  return()
endif()

set(folder ${CMAKE_CURRENT_BINARY_DIR}/aarch64)
file(MAKE_DIRECTORY ${folder}/include)
file(CREATE_LINK ${LINNET_FMT_HEADERS}/fmt ${folder}/include/fmt SYMBOLIC)
set(flags -std=c++23 -O2 -ffp-contract=off -Wall -Wextra -Wno-psabi -Wno-maybe-uninitialized -DFMT_HEADER_ONLY
          -DLINNET_SOURCE_DIR="${CMAKE_SOURCE_DIR}" -I${folder}/include -I${CMAKE_SOURCE_DIR}/src
          -I${CMAKE_SOURCE_DIR}/tests/support -I${LINNET_GTEST_SOURCE}/include -I${LINNET_GTEST_SOURCE})

set(sources ${LINNET_GTEST_SOURCE}/src/gtest-all.cc ${LINNET_GTEST_SOURCE}/src/gtest_main.cc)
foreach(target linnet_graph linnet_reference linnet_cpu)
  get_target_property(names ${target} SOURCES)
  get_target_property(where ${target} SOURCE_DIR)
  list(TRANSFORM names PREPEND ${where}/)
  list(APPEND sources ${names})
endforeach()
list(FILTER sources EXCLUDE REGEX "families|statistics|benchmark")  # nothing here needs them
list(TRANSFORM LINNET_KERNEL_SOURCES PREPEND kernels/ OUTPUT_VARIABLE kernel_sources)
set(own ../base/thread_pool.cpp ${kernel_sources} kernels/isa/scalar.cpp kernels/isa/neon.cpp
        kernels/isa/neon_dot.cpp kernels/probe/probe_neon.cpp kernels/probe/probe_neon_dot.cpp executor_test.cpp isa_test.cpp
        ../numerics/vectors_neon.cpp ../numerics/vectors_test.cpp)
get_target_property(kernel_tests cpu_kernels_test SOURCES)
list(TRANSFORM kernel_tests PREPEND kernels/)
list(APPEND own ${kernel_tests})
list(TRANSFORM own PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
list(APPEND sources ${own})

set(objects)
foreach(source IN LISTS sources)
  string(SHA1 id ${source})
  string(SUBSTRING ${id} 0 8 id)
  cmake_path(GET source STEM stem)
  set(object ${folder}/${stem}-${id}.o)
  set(extra)
  if(stem MATCHES "neon_dot$")
    set(extra -march=armv8.2-a+dotprod)
  endif()
  add_custom_command(OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d VERBATIM
                     COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${LINNET_AARCH64_CXX} ${flags} ${extra} -MD -MF ${object}.d
                             -c ${source} -o ${object})
  list(APPEND objects ${object})
endforeach()
set(program ${folder}/cpu_aarch64_test)
add_custom_command(OUTPUT ${program} DEPENDS ${objects} VERBATIM
                   COMMAND ${LINNET_AARCH64_CXX} -static -o ${program} ${objects} -lpthread)
add_custom_target(cpu_aarch64_test ALL DEPENDS ${program})

# A Cortex-A76 multiplies int8 by sdot, a Cortex-A72 does not have it.
foreach(cpu cortex-a72 cortex-a76)
  add_test(NAME cpu_aarch64.${cpu}
           COMMAND ${LINNET_QEMU_AARCH64} -cpu ${cpu} ${program})
  set_tests_properties(cpu_aarch64.${cpu} PROPERTIES TIMEOUT 300)
endforeach()
