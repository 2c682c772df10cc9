# A room is one folder under src/: one library, one test program, one include directory of its own.
#
#   linnet_room(formats/onnx
#     SOURCES reader.cpp writer.cpp       # relative to the room's folder
#     USES graph                          # rooms that it may include, passed on to its users
#     LIBRARIES protobuf::libprotobuf     # third-party libraries, private to the room
#     PRECOMPILE <onnx_schema.pb.h>       # what takes long to read and most sources include: read once
#     LOOPS                               # its loops are what takes the time: -O3, elsewhere -O2
#     TESTS reader_test.cpp               # unit tests, which stand beside their source
#     TEST_USES reference                 # rooms that only the tests include
#     TEST_LIBRARIES …                    # third-party libraries that only the tests use
#     TEST_INPUT                          # the room reads what others wrote: the tests run under the address sanitizer as well
#     TEST_THREADS)                       # its threads share memory: under the thread sanitizer
#
# gives the library linnet_formats_onnx (alias linnet::formats_onnx) and the test program formats_onnx_test. Its headers
# are included as "formats/onnx/reader.h". The include directory holds nothing but a link to this one folder, so a
# room that is not named in USES cannot be included by accident: the compiler does not find it.

function(linnet_room name)
  cmake_parse_arguments(ARG "LOOPS;TEST_INPUT;TEST_THREADS" "" "SOURCES;USES;LIBRARIES;PRECOMPILE;TESTS;TEST_USES;TEST_LIBRARIES" ${ARGN})
  string(REPLACE "/" "_" id ${name})
  set(include_dir ${CMAKE_BINARY_DIR}/rooms/${id})
  cmake_path(GET name PARENT_PATH parent)
  file(MAKE_DIRECTORY ${include_dir}/${parent})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${include_dir}/${name} SYMBOLIC)

  # A header-only library is the business of whoever builds the room, not of whoever links the installed one.
  list(TRANSFORM ARG_LIBRARIES REPLACE "^nlohmann_json::nlohmann_json$" "$<BUILD_INTERFACE:nlohmann_json::nlohmann_json>")

  set(target linnet_${id})
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
    linnet_precompile(${target} ${ARG_PRECOMPILE})
    if(ARG_LOOPS)
      target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O3>)
    endif()
    if(LINNET_FUZZ AND NOT target STREQUAL linnet_cpu_kernels) # coverage leads fuzzers; kernels would take the compiler minutes more
      target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
    target_link_libraries(${target} PRIVATE ${ARG_LIBRARIES})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
    target_link_libraries(${target} INTERFACE ${ARG_LIBRARIES})
  endif()
  add_library(linnet::${id} ALIAS ${target})
  target_include_directories(${target} ${scope} $<BUILD_INTERFACE:${include_dir}>)
  linnet_room_targets(uses ${ARG_USES})
  target_link_libraries(${target} ${scope} ${uses})

  if(LINNET_TESTS AND ARG_TESTS)
    linnet_room_targets(test_uses ${ARG_TEST_USES})
    set(kinds)
    foreach(kind INPUT THREADS)
      if(ARG_TEST_${kind})
        list(APPEND kinds ${kind})
      endif()
    endforeach()
    linnet_test(${id}_test SOURCES ${ARG_TESTS} LIBRARIES ${target} ${test_uses} ${ARG_TEST_LIBRARIES} ${kinds})
  endif()
endfunction()

# linnet_room_targets(out graph formats/onnx) sets out to linnet_graph;linnet_formats_onnx.
function(linnet_room_targets out)
  set(targets)
  foreach(room ${ARGN})
    string(REPLACE "/" "_" id ${room})
    list(APPEND targets linnet_${id})
  endforeach()
  set(${out} ${targets} PARENT_SCOPE)
endfunction()

# Reading the standard library and fmt is a third of compiling most sources: the first room does it for all. Not where ccache
# compiles, which would cache none of them then; nor for kernels, whose instruction sets are their own, and numerics, without fmt.
set(linnet_precompiled algorithm array cmath expected filesystem functional map memory optional span string string_view
    unordered_map variant vector fmt/format.h fmt/ranges.h)
list(TRANSFORM linnet_precompiled REPLACE "(.+)" "<\\1>")

# linnet_precompile(target [<headers of its own>...])
function(linnet_precompile target)
  if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES ccache OR target MATCHES "^linnet_(cpu_kernels|numerics)$")
    return()
  endif()
  if(target STREQUAL linnet_base OR ARGN)
    target_precompile_headers(${target} PRIVATE ${linnet_precompiled} ${ARGN})
  else()
    target_precompile_headers(${target} REUSE_FROM linnet_base)
  endif()
endfunction()
