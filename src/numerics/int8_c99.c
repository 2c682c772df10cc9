/* int8.h as generated firmware includes it: strict C99. int8_test.cpp holds it against the same header in
 * C++. */
#include "numerics/int8_c99.h"

#include "numerics/int8.h"

int32_t c99_requantize(int32_t acc, int32_t m, int32_t t, int32_t zero_point, int32_t lo, int32_t hi) {
  const linnet_multiplier by = {m, t};
  const linnet_output to = {zero_point, lo, hi};
  return linnet_requantize(acc, by, to);
}

int32_t c99_add(int32_t a, int32_t zero_a, int32_t b, int32_t zero_b, int32_t m_a, int32_t m_b, int32_t t,
                int32_t zero_point) {
  const linnet_add_multiplier by = {m_a, m_b, t};
  const linnet_output to = {zero_point, LINNET_INT8_MIN, LINNET_INT8_MAX};
  return linnet_add((int8_t)a, zero_a, (int8_t)b, zero_b, by, to);
}
