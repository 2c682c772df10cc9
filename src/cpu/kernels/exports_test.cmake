# An object compiled for an instruction set may define symbols of its own namespace only. Anything else, a std
# function say, could become the copy that the whole program uses, on CPUs that lack the instructions too.
#   cmake -D NM=nm -D LIBRARY=liblinnet_cpu_kernels.a -P exports_test.cmake
execute_process(COMMAND ${NM} -A -C --defined-only -g ${LIBRARY} OUTPUT_VARIABLE symbols RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${NM} ${LIBRARY} failed")
endif()
set(objects "avx2=avx2" "avx512=avx512" "avx512_vnni=avx512_vnni" "avx512_vbmi=avx512_vbmi" "avx512_amx=avx512_amx" "half_avx2=avx2" "half_avx512=avx512" "avx512_bf16=avx512_bf16"
            "train_avx512_bf16=avx512_bf16" "train_avx512_amx=avx512_amx" "half_neon=neon"
            "probe_avx2=avx2" "probe_avx512=avx512" "probe_avx512_vnni=avx512_vnni"
            "probe_avx512_bf16=avx512_bf16" "probe_avx512_amx=avx512_amx" "neon=neon" "neon_dot=neon_dot" "probe_neon=neon" "probe_neon_dot=neon_dot")
set(seen 0)
string(REGEX MATCHALL "[^\n]+" lines "${symbols}")
foreach(line IN LISTS lines)
  if(NOT line MATCHES ":([a-z0-9_]+)\\.cpp\\.o:[0-9a-f]+ ([A-Za-z]) (.*)")
    continue()
  endif()
  set(object ${CMAKE_MATCH_1})
  set(symbol "${CMAKE_MATCH_3}")
  foreach(pair IN LISTS objects)
    if(pair MATCHES "^${object}=(.*)$")
      set(isa ${CMAKE_MATCH_1})
      math(EXPR seen "${seen} + 1")
      if(NOT symbol MATCHES "^linnet::cpu::${isa}::")
        message(SEND_ERROR "${object}.cpp defines ${symbol}, outside linnet::cpu::${isa}")
      endif()
    endif()
  endforeach()
endforeach()
if(seen EQUAL 0)
  message(FATAL_ERROR "no object of an instruction set was found in ${LIBRARY}")
endif()
message(STATUS "${seen} symbols, each in its own namespace")
