# Models as part of a program.
#
# linnet_embed_models(OUT FOLDER) writes a source that defines linnet::hub::embedded_models() for the models of
# FOLDER/models.json, with the bytes of FOLDER/NAME.safetensors by the assembler's .incbin, and sets OUT to it. A program with such
# a source of its own has those models in place of Linnet's: tests do.
function(linnet_embed_models out folder)
  set(list ${folder}/models.json)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list})
  file(READ ${list} text)
  string(JSON count LENGTH "${text}" models)
  set(files)
  set(assembly)
  set(symbols)
  set(entries)
  if(count GREATER 0)
    math(EXPR last "${count} - 1")
    foreach(i RANGE ${last})
      foreach(key name family data images right licence command)
        string(JSON ${key} GET "${text}" models ${i} ${key})
      endforeach()
      set(file ${folder}/${name}.safetensors)
      list(APPEND files ${file})
      string(APPEND assembly "
.balign 64
linnet_model_${i}:
.incbin \"${file}\"
linnet_model_${i}_end:")
      string(APPEND symbols "extern \"C\" [[gnu::visibility(\"hidden\")]] const std::byte linnet_model_${i}[], linnet_model_${i}_end[];\n")
      string(APPEND entries "      {R\"json(${name})json\", R\"json(${family})json\", R\"json(${data})json\", ${images}, ${right},
       R\"json(${licence})json\", R\"json(${command})json\", {linnet_model_${i}, linnet_model_${i}_end}},\n")
    endforeach()
  endif()
  cmake_path(GET folder FILENAME id)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded_${id}.cpp)
  set(LINNET_ASSEMBLY "${assembly}")
  set(LINNET_SYMBOLS "${symbols}")
  set(LINNET_ENTRIES "${entries}")
  configure_file(${CMAKE_SOURCE_DIR}/cmake/embedded_models.cpp.in ${source} @ONLY)
  set_property(SOURCE ${source} PROPERTY OBJECT_DEPENDS "${files}")
  set(${out} ${source} PARENT_SCOPE)
endfunction()
