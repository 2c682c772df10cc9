#include "numerics/int8_neon.h"
#include "numerics/vectors_body.h"

namespace linnet::numerics {

const VectorForm& vectors_neon() {
  static constexpr VectorForm kForm = Body<neon::Int8>::form("neon");
  return kForm;
}

}  // namespace linnet::numerics
