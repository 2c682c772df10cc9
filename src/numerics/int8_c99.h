/* The two functions of int8_c99.c. */
#ifndef LINNET_NUMERICS_INT8_C99_H_
#define LINNET_NUMERICS_INT8_C99_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

int32_t c99_requantize(int32_t acc, int32_t m, int32_t t, int32_t zero_point, int32_t lo, int32_t hi);
int32_t c99_add(int32_t a, int32_t zero_a, int32_t b, int32_t zero_b, int32_t m_a, int32_t m_b, int32_t t,
                int32_t zero_point);

#ifdef __cplusplus
}
#endif

#endif /* LINNET_NUMERICS_INT8_C99_H_ */
