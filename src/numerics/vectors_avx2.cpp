#include "numerics/int8_avx2.h"
#include "numerics/vectors_body.h"

namespace linnet::numerics {

const VectorForm& vectors_avx2() {
  static constexpr VectorForm kForm = Body<avx2::Int8>::form("avx2");
  return kForm;
}

}  // namespace linnet::numerics
