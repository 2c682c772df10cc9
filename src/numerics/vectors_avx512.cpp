#include "numerics/int8_avx512.h"
#include "numerics/vectors_body.h"

namespace linnet::numerics {

const VectorForm& vectors_avx512() {
  static constexpr VectorForm kForm = Body<avx512::Int8>::form("avx512");
  return kForm;
}

}  // namespace linnet::numerics
