# Tests and fuzzers.

# What runs under the thread sanitizer, which is too slow to build and run everything with.
add_custom_target(threads_tests)

# linnet_test(name SOURCES … LIBRARIES … [TIMEOUT seconds] [LONG] [THREADS])
# One GoogleTest program whose cases become CTest tests, each with a bound on its time. LONG cases run in `./check --long` only;
# THREADS cases, whose threads share memory, run under the thread sanitizer as well.
function(linnet_test name)
  cmake_parse_arguments(ARG "LONG;THREADS" "TIMEOUT" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(LINNET_SANITIZE)
    math(EXPR ARG_TIMEOUT "5 * ${ARG_TIMEOUT}")
  endif()
  set(labels "")
  if(ARG_LONG)
    list(APPEND labels long)
  endif()
  if(ARG_THREADS)
    list(APPEND labels threads)
    add_dependencies(threads_tests ${name})
  endif()
  if(labels)
    list(PREPEND labels LABELS)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES})
  linnet_test_options(${name})
  if(TARGET linnet_test_headers)
    target_precompile_headers(${name} REUSE_FROM linnet_test_headers)
  endif()
  gtest_discover_tests(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} ${labels} DISCOVERY_TIMEOUT 60
                       WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endfunction()

# What all tests are compiled and linked with.
function(linnet_test_options target)
  # What is tested is optimised; the test compiles sooner, under sanitizers in half the time.
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1> $<$<CONFIG:RelWithDebInfo>:-O0>)
  target_link_libraries(${target} PRIVATE linnet_test_support fmt::fmt GTest::gtest_main GTest::gmock)
endfunction()

# linnet_fuzzer(name SOURCE fuzz_onnx.cpp LIBRARIES … CORPUS folder)
# A libFuzzer program, built where LINNET_FUZZ is on (clang). LINNET_FUZZ_SECONDS bounds each run. The seed corpus is read, never
# written: what the fuzzer finds goes into the build folder.
function(linnet_fuzzer name)
  cmake_parse_arguments(ARG "" "SOURCE;CORPUS" "LIBRARIES" ${ARGN})
  if(NOT LINNET_FUZZ)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCE})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  # Coverage leads it: of what it links alone, since kernels, say, would take the compiler minutes more.
  set(rooms)
  foreach(library ${ARG_LIBRARIES})
    linnet_link_closure(rooms ${library})
  endforeach()
  foreach(room ${rooms})
    get_target_property(type ${room} TYPE)
    if(NOT type STREQUAL INTERFACE_LIBRARY)
      target_compile_options(${room} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
  endforeach()
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${name}_corpus)
  math(EXPR timeout "3 * ${LINNET_FUZZ_SECONDS} + 60")
  # The seed is fixed: what a run finds, the next one finds too.
  add_test(NAME fuzz.${name}
           COMMAND ${name} -seed=1 -max_total_time=${LINNET_FUZZ_SECONDS} -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1
                   ${CMAKE_CURRENT_BINARY_DIR}/${name}_corpus ${ARG_CORPUS})
  set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT ${timeout} LABELS fuzz)
endfunction()
