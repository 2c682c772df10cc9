# Tests and fuzzers.

# Sanitizers are too slow to build and run everything with on every change: these are what each is for.
add_custom_target(input_tests)
add_custom_target(threads_tests)

# linnet_test(name SOURCES … LIBRARIES … [TIMEOUT seconds] [LONG] [INPUT] [THREADS])
# One GoogleTest program whose cases become CTest tests, each with a bound on its time. LONG cases run in `./check --long` only.
# INPUT cases, of code that reads what others wrote, run under the address sanitizer in every ./check, and THREADS cases, whose
# threads share memory, under the thread sanitizer; the others under the address sanitizer in `./check --long`.
function(linnet_test name)
  cmake_parse_arguments(ARG "LONG;INPUT;THREADS" "TIMEOUT" "SOURCES;LIBRARIES" ${ARGN})
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
  foreach(kind input threads)
    string(TOUPPER ARG_${kind} given)
    if(${given})
      list(APPEND labels ${kind})
      add_dependencies(${kind}_tests ${name})
    endif()
  endforeach()
  if(labels)
    list(JOIN labels "+" labels) # one label: gtest_discover_tests takes no list of them, and ctest -L a regular expression
    set(labels LABELS ${labels})
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
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${name}_corpus)
  math(EXPR timeout "3 * ${LINNET_FUZZ_SECONDS} + 60")
  # The seed is fixed: what a run finds, the next one finds too.
  add_test(NAME fuzz.${name}
           COMMAND ${name} -seed=1 -max_total_time=${LINNET_FUZZ_SECONDS} -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1
                   ${CMAKE_CURRENT_BINARY_DIR}/${name}_corpus ${ARG_CORPUS})
  set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT ${timeout} LABELS fuzz)
  add_dependencies(input_tests ${name})
endfunction()
