// Batch normalisation in training, with the activation behind it, and their gradients.
//
// z is what the layer before wrote, v = z * multiply + add the normalised value, and y = activation(v) what
// the next layer reads. Only z is stored: y is computed again wherever it is read, a block of pixels at a
// time, while the block is in the cache.
//
// Of a tensor's channels a kernel may run over some: then c counts those, and `row` values lie between one
// pixel and the next.
//
// T: as what z and the gradient of v are stored, float or Bf16 (half.h). Arithmetic and sums are float32.
#pragma once

#include <cstddef>

#include "cpu/kernels/activation.h"
#include "cpu/kernels/half.h"

namespace linnet::cpu {

/// Sums of z - shift and of its square over the pixels: enough for mean and variance, without cancellation
/// where `shift` is near the values.
template <class T>
struct StatisticsOf {
  const float* z;  ///< [pixels, c] of rows
  std::ptrdiff_t row;
  std::ptrdiff_t pixels;
  int c;
  const float* shift;   ///< [c]
  float* sum;           ///< [c], overwritten
  float* sum_squares;   ///< [c], overwritten
  T* stored = nullptr;  ///< [pixels, c] of rows: where z goes, rounded, unless T is float
};

/// y[p, c] = finish(z[p, c] * multiply[c] + add[c])
template <class T, class Y>
struct NormaliseOf {
  const T* z;              ///< [pixels, c]
  const float* multiply;   ///< [c], or nullptr: 1 and 0
  const float* add;        ///< [c]
  Y* y;                    ///< rows of c values
  std::ptrdiff_t y_pixel;  ///< values from one row to the next
  std::ptrdiff_t pixels;
  int c;
  Finish finish;
  int zeros = 0;  ///< values behind those of each row of y that become zero
};

/// dv[p, c] = (dy[p, c] + earlier[p, c]) * finish'(v), and its sums. Slopes at a kink are those that PyTorch
/// takes: 0 for ReLU at 0, for ReLU6 at 0 and 6, for hard-sigmoid at -3 and 3; for hard-swish 1 at 3.
template <class T>
struct ActivationGradientOf {
  const float* dy;        ///< [pixels, c] of rows
  const T* earlier;       ///< [pixels, c] of rows, or nullptr; may be dv
  const T* z;             ///< [pixels, c] of rows
  const float* multiply;  ///< [c], or nullptr: v = z
  const float* add;       ///< [c]
  const float* mean;      ///< [c], or nullptr: 0
  T* dv;                  ///< [pixels, c] of rows
  std::ptrdiff_t row;
  std::ptrdiff_t pixels;
  int c;
  Finish finish;
  float* sum;          ///< [c], overwritten: of dv, before it is rounded
  float* sum_centred;  ///< [c], overwritten: of dv * (z - mean)
};

/// dz[p, c] = dv[p, c] * by_gradient[c] + z[p, c] * by_value[c] + constant[c]: what batch norm hands on, once
/// the sums over the batch are known. (Ioffe and Szegedy, "Batch Normalization", 2015, section 3)
template <class T, class Y>
struct NormaliseGradientOf {
  const T* dv;               ///< [pixels, c]
  const T* z;                ///< [pixels, c]
  const float* by_gradient;  ///< [c], or nullptr: dz = dv
  const float* by_value;     ///< [c]
  const float* constant;     ///< [c]
  Y* dz;                     ///< rows of c values
  std::ptrdiff_t dz_pixel;   ///< values from one row to the next
  std::ptrdiff_t pixels;
  int c;
  int zeros = 0;  ///< values behind those of each row of dz that become zero
};

}  // namespace linnet::cpu
