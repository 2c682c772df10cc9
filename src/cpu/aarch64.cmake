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
list(APPEND own ../base/aligned.cpp ../base/thread_pool.cpp kernels/isa/scalar.cpp kernels/isa/half_scalar.cpp
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

# A Cortex-A76 multiplies int8 by sdot, a Cortex-A72 does not have it. The families in int8 take minutes under qemu.
set(families executor_int8.every_family_equals_the_reference_at_every_node_on_every_isa)
foreach(cpu cortex-a72 cortex-a76)
  add_test(NAME cpu_aarch64.${cpu}
           COMMAND ${LINNET_QEMU_AARCH64} -cpu ${cpu} ${LINNET_AARCH64_FOLDER}/cpu_aarch64_test --gtest_filter=-${families})
  set_tests_properties(cpu_aarch64.${cpu} PROPERTIES TIMEOUT 600)
endforeach()
add_test(NAME cpu_aarch64.every_family_in_int8
         COMMAND ${LINNET_QEMU_AARCH64} -cpu cortex-a76 ${LINNET_AARCH64_FOLDER}/cpu_aarch64_test --gtest_filter=${families})
set_tests_properties(cpu_aarch64.every_family_in_int8 PROPERTIES TIMEOUT 1200 LABELS long)
