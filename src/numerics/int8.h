/* The int8 arithmetic of Linnet, once and for all: what the CPU kernels, the training code, the generated C
 * and the RTL bench compute, bit for bit.
 *
 * Integers only, in the common subset of C99 and C++23; no state, no memory, no header but <stdint.h>. The
 * part in double precision, which turns scales into the multipliers below, is numerics/multiplier.h and never
 * ships to a target.
 *
 * Real values are (q - zero_point) * scale. Activations are int8 with one scale and zero point a tensor,
 * weights int8 with one scale an output channel and no zero point (imported files excepted, see
 * linnet_fold_weight_zero_point), biases int32 with scale s_x * s_w, accumulators int32.
 *
 * Every rounding is to the nearest integer, halves upwards: floor(v + 1/2). */
#ifndef LINNET_NUMERICS_INT8_H_
#define LINNET_NUMERICS_INT8_H_

#include <stdint.h>

/* A right shift of a negative number must be arithmetic; C leaves that to the compiler. An array of size -1
 * stops one that shifts in zeros. */
typedef char linnet_right_shift_is_arithmetic[((int64_t)-3 >> 1) == -2 ? 1 : -1];

/* Limits of a stored value. A symmetric weight is never below LINNET_WEIGHT_MIN. */
enum { LINNET_INT8_MIN = -128, LINNET_INT8_MAX = 127, LINNET_WEIGHT_MIN = -127 };

/* A positive real factor m * 2^-t. m is odd, or 0 for a factor that vanishes. */
typedef struct linnet_multiplier {
  int32_t m; /* odd, in [LINNET_M_MIN, LINNET_M_MAX]; or 0 */
  int32_t t; /* in [LINNET_T_MIN, LINNET_T_MAX] */
} linnet_multiplier;

enum { LINNET_M_MIN = 1 << 23, LINNET_M_MAX = (1 << 24) - 1, LINNET_T_MIN = 1, LINNET_T_MAX = 62 };

/* Two factors on one shift, for the residual add. The larger of the two is in [2^14, 2^15), smaller only
 * where t is at its limit. */
typedef struct linnet_add_multiplier {
  int32_t m_a; /* in [0, 2^15) */
  int32_t m_b; /* in [0, 2^15) */
  int32_t t;   /* in [LINNET_T_MIN, LINNET_ADD_T_MAX] */
} linnet_add_multiplier;

/* With t at most 29 the sum 255 * m_a + 255 * m_b + 2^(t-1) stays below 2^31. */
enum { LINNET_ADD_M_MAX = (1 << 15) - 1, LINNET_ADD_T_MAX = 29 };

/* What a requantized value becomes: its zero point and its limits, which are also the activation. ReLU has lo
 * = zero_point, ReLU6 besides hi = min(127, zero_point + round(6 / scale)); none has lo = -128, hi = 127. */
typedef struct linnet_output {
  int32_t zero_point; /* in [-128, 127] */
  int32_t lo;         /* in [-128, hi] */
  int32_t hi;         /* in [lo, 127] */
} linnet_output;

/* value limited to [lo, hi], lo <= hi. */
static inline int32_t linnet_clamp(int64_t value, int32_t lo, int32_t hi) {
  return value < lo ? lo : value > hi ? hi : (int32_t)value;
}

/* acc * m * 2^-t, rounded to nearest, halves up. Exact for every int32: |acc * m| < 2^55 and 2^(t-1) <= 2^61.
 */
static inline int64_t linnet_scale(int32_t acc, linnet_multiplier by) {
  return ((int64_t)acc * by.m + ((int64_t)1 << (by.t - 1))) >> by.t;
}

/* The end of every convolution, linear layer, pool and product: an accumulator to int8. */
static inline int8_t linnet_requantize(int32_t acc, linnet_multiplier by, linnet_output to) {
  return (int8_t)linnet_clamp(to.zero_point + linnet_scale(acc, by), to.lo, to.hi);
}

/* The residual add. a and b are stored values, zero_a and zero_b their zero points. */
static inline int8_t linnet_add(int8_t a, int32_t zero_a, int8_t b, int32_t zero_b, linnet_add_multiplier by,
                                linnet_output to) {
  const int32_t sum = ((int32_t)a - zero_a) * by.m_a + ((int32_t)b - zero_b) * by.m_b;
  return (int8_t)linnet_clamp(to.zero_point + ((sum + ((int32_t)1 << (by.t - 1))) >> by.t), to.lo, to.hi);
}

/* The gate of squeeze-and-excite: a stored value times a stored gate, |product| <= 255 * 255. */
static inline int8_t linnet_multiply(int8_t x, int32_t zero_x, int8_t gate, int32_t zero_gate,
                                     linnet_multiplier by, linnet_output to) {
  return linnet_requantize(((int32_t)x - zero_x) * ((int32_t)gate - zero_gate), by, to);
}

/* The global average pool: `sum` of `count` stored values. 1 / count is part of the multiplier. count * 255
 * must be below 2^31: a map of 2,900 x 2,900. */
static inline int8_t linnet_average(int32_t sum, int32_t count, int32_t zero_x, linnet_multiplier by,
                                    linnet_output to) {
  return linnet_requantize(sum - count * zero_x, by, to);
}

/* An element-wise function as a table of 256 bytes: table[x + 128] is the answer for x. */
static inline int8_t linnet_lookup(const int8_t* table, int8_t x) {
  return table[(int32_t)x - LINNET_INT8_MIN];
}

/* An image byte to a stored value of the input: real = (pixel - mean) / deviation, a channel. `mean` is in
 * 1/256 of a grey level; `by` is 1 / (256 * deviation * scale). */
static inline int8_t linnet_quantize_pixel(uint8_t pixel, int32_t mean, linnet_multiplier by,
                                           linnet_output to) {
  return linnet_requantize(((int32_t)pixel << 8) - mean, by, to);
}

/* Folds the input's zero point into a layer's bias, where it belongs once the padding is the zero point too:
 * sum((x - zero_x) * w) + bias = sum(x * w) + (bias - zero_x * sum(w)). Must not overflow: the channel's
 * bound says so. */
static inline int32_t linnet_fold_zero_point(int32_t bias, int32_t zero_x, int32_t weight_sum) {
  return bias - zero_x * weight_sum;
}

/* An imported layer whose weights have a zero point: sum((x - zero_x) * (w - zero_w)) from the accumulator of
 * the stored weights, acc = sum((x - zero_x) * w), and sum_x = sum(x - zero_x) over the same taps. */
static inline int32_t linnet_fold_weight_zero_point(int32_t acc, int32_t zero_w, int32_t sum_x) {
  return acc - zero_w * sum_x;
}

/* Whether fma((float)acc, m * 2^-t, 1.5 * 2^23) holds linnet_scale(acc, by) in its low bits for every |acc|
 * <= bound, in float32, rounding to nearest even: bound <= 2^24          acc is exact as a float; m is too,
 * having 24 bits; bound * m < 2^(t+22)   the sum stays in [2^23, 2^24), where one unit in the last place is
 * 1; bound < 2^(t-1)        m is odd, so acc * m is a multiple of 2^(t-1), a tie, for acc = 0 alone: halves
 * never occur. A channel that breaks one of the three takes linnet_scale itself. */
static inline int linnet_is_exact_in_float(int64_t bound, linnet_multiplier by) {
  return bound <= (int64_t)1 << 24 && bound < (int64_t)1 << (by.t - 1) &&
         (by.t + 22 >= 62 || bound * by.m < (int64_t)1 << (by.t + 22));
}

#endif /* LINNET_NUMERICS_INT8_H_ */
