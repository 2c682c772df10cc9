#include "numerics/int8_avx512_vbmi.h"
#include "numerics/vectors_body.h"

namespace linnet::numerics {

const VectorForm& vectors_avx512_vbmi() {
  static constexpr VectorForm kForm = Body<avx512_vbmi::Int8>::form("avx512_vbmi");
  return kForm;
}

}  // namespace linnet::numerics
