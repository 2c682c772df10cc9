# A room is one folder under src/: one library, one test program, one include directory of its own.
#
#   linnet_room(formats/onnx
#     SOURCES reader.cpp writer.cpp       # relative to the room's folder
#     USES graph                          # rooms that it may include, passed on to its users
#     LIBRARIES protobuf::libprotobuf     # third-party libraries, private to the room
#     TESTS reader_test.cpp               # unit tests, which stand beside their source
#     TEST_USES reference                 # rooms that only the tests include
#     TEST_LIBRARIES …                    # third-party libraries that only the tests use
#     TEST_THREADS)                       # the tests run under the thread sanitizer as well
#
# gives the library linnet_formats_onnx (alias linnet::formats_onnx) and the test program formats_onnx_test. Its headers
# are included as "formats/onnx/reader.h". The include directory holds nothing but a link to this one folder, so a
# room that is not named in USES cannot be included by accident: the compiler does not find it.

function(linnet_room name)
  cmake_parse_arguments(ARG "TEST_THREADS" "" "SOURCES;USES;LIBRARIES;TESTS;TEST_USES;TEST_LIBRARIES" ${ARGN})
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
    set(threads)
    if(ARG_TEST_THREADS)
      set(threads THREADS)
    endif()
    linnet_test(${id}_test SOURCES ${ARG_TESTS} LIBRARIES ${target} ${test_uses} ${ARG_TEST_LIBRARIES} ${threads})
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
