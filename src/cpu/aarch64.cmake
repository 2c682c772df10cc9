# The NEON kernels on a machine that has none: the executor and its tests, run by qemu. Included by CMakeLists.txt.
if(NOT LINNET_AARCH64)
  add_test(NAME cpu_aarch64.skipped COMMAND ${CMAKE_COMMAND} -E echo
           "skipped: g++-aarch64-linux-gnu, qemu-user or googletest is absent, so NEON is not tested here")
  set_tests_properties(cpu_aarch64.skipped PROPERTIES SKIP_REGULAR_EXPRESSION "skipped:")
  return()
endif()

linnet_aarch64_sources(library linnet_graph linnet_numerics linnet_reference linnet_plan linnet_cpu)
list(FILTER library EXCLUDE REGEX "benchmark") # nothing here needs it
list(TRANSFORM LINNET_KERNEL_SOURCES PREPEND kernels/ OUTPUT_VARIABLE own)
list(APPEND own ../base/aligned.cpp ../base/file.cpp ../base/thread_pool.cpp kernels/isa/scalar.cpp kernels/isa/half_scalar.cpp
     kernels/isa/neon.cpp kernels/isa/half_neon.cpp kernels/isa/neon_dot.cpp
     kernels/probe/probe_neon.cpp kernels/probe/probe_neon_dot.cpp)
set(tests executor_test.cpp executor_half_test.cpp executor_int8_test.cpp isa_test.cpp ../numerics/vectors_neon.cpp ../numerics/vectors_test.cpp)
get_target_property(kernel_tests cpu_kernels_test SOURCES)
list(TRANSFORM kernel_tests PREPEND kernels/)
list(APPEND tests ${kernel_tests})
list(TRANSFORM own PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
list(TRANSFORM tests PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
linnet_aarch64_library(cpu_aarch64 ${library} ${own})
linnet_aarch64_program(cpu_aarch64_test cpu_aarch64
  ${tests} ${LINNET_GTEST_SOURCE}/src/gtest-all.cc ${LINNET_GTEST_SOURCE}/src/gtest_main.cc)

# A Cortex-A76 multiplies int8 by sdot, a Cortex-A72 does not have it and is otherwise the same. qemu is as slow as a sanitizer, so
# these are few cases (cases.h), and what takes minutes, families and threads that wait, is left to ./check --long, as all cases are.
function(linnet_qemu_test name cpu filter)
  add_test(NAME cpu_aarch64.${name}
           COMMAND ${LINNET_QEMU_AARCH64} -cpu ${cpu} ${LINNET_AARCH64_FOLDER}/cpu_aarch64_test --gtest_filter=${filter})
  set_tests_properties(cpu_aarch64.${name} PROPERTIES ${ARGN})
endfunction()
linnet_qemu_test(cortex-a76 cortex-a76 -*every_family*:*images_of_a_batch* TIMEOUT 600 ENVIRONMENT LINNET_FEW_CASES=1)
linnet_qemu_test(cortex-a72 cortex-a72 isa*:vectors*:*_int8*:*_s8*-*every_family*:*images_of_a_batch* TIMEOUT 600 ENVIRONMENT LINNET_FEW_CASES=1)
linnet_qemu_test(all_cases cortex-a76 * TIMEOUT 1800 LABELS long)
