# loaded_library(TARGET VARIABLE FILE): the target loads this library when it runs (base/shared_library.h), by the name that programs
# which link it ask for; VARIABLE is a macro that holds it.
function(loaded_library target variable file)
  file(REAL_PATH ${file} path)
  string(REGEX MATCH "lib[a-z-]+\\.so\\.[0-9]+(\\.1$)?" name ${path})
  if(NOT name)
    message(FATAL_ERROR "${file}: Linnet loads this library when it is needed, so it must be a shared one")
  endif()
  target_compile_definitions(${target} PRIVATE ${variable}="${name}")
endfunction()
