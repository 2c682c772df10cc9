# Flags that every target shares.

if(CMAKE_CXX_FLAGS MATCHES "-ffast-math|-Ofast|-funsafe-math-optimizations")
  message(FATAL_ERROR "Linnet's results are exact by definition; -ffast-math breaks them. Remove it from CMAKE_CXX_FLAGS.")
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positives of g++ 12 through std::variant and std::string at -O3.
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-psabi)
endif()

# Rooms whose loops take the time ask for -O3 (room.cmake): elsewhere it would only take a compiler longer.
add_compile_options($<$<CONFIG:Release>:-O2>)

if(LINNET_FUZZ AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "LINNET_FUZZ needs clang: configure with --preset asan")
endif()

if(LINNET_SANITIZE)
  add_compile_options(-fsanitize=${LINNET_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LINNET_SANITIZE})
endif()
