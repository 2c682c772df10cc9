// The bodies of add, multiply, activate and convert, over any vector type V and T: float, or half of one.
// Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/elementwise/elementwise_f32.h"
#include "cpu/kernels/finish_body.h"

namespace linnet::cpu {
namespace {

template <class V, class T>
void add_float(const AddOf<T>& a) {
  std::ptrdiff_t i = 0;
  for (; i + V::kWidth <= a.n; i += V::kWidth) {
    V value[1][1] = {{V::load(a.a + i) + V::load(a.b + i)}};
    apply_finish(a.finish, value);
    value[0][0].store(a.y + i);
  }
  if (i < a.n) {
    const int rest = static_cast<int>(a.n - i);
    V value[1][1] = {{V::load_partial(a.a + i, rest) + V::load_partial(a.b + i, rest)}};
    apply_finish(a.finish, value);
    value[0][0].store_partial(a.y + i, rest);
  }
}

template <class V, class T>
void multiply_float(const MultiplyOf<T>& a) {
  for (std::ptrdiff_t p = 0; p < a.pixels; ++p) {
    const T* x = a.x + p * a.c;
    T* y = a.y + p * a.c;
    int i = 0;
    for (; i + V::kWidth <= a.c; i += V::kWidth) (V::load(x + i) * V::load(a.gate + i)).store(y + i);
    if (i < a.c)
      (V::load_partial(x + i, a.c - i) * V::load_partial(a.gate + i, a.c - i)).store_partial(y + i, a.c - i);
  }
}

template <class V, class T>
void activate_float(const ActivateOf<T>& a) {
  std::ptrdiff_t i = 0;
  for (; i + V::kWidth <= a.n; i += V::kWidth) {
    V value[1][1] = {{V::load(a.x + i)}};
    apply_finish(a.finish, value);
    value[0][0].store(a.y + i);
  }
  if (i < a.n) {
    const int rest = static_cast<int>(a.n - i);
    V value[1][1] = {{V::load_partial(a.x + i, rest)}};
    apply_finish(a.finish, value);
    value[0][0].store_partial(a.y + i, rest);
  }
}

template <class V, class From, class To>
void convert(const Convert<From, To>& a) {
  std::ptrdiff_t i = 0;
  for (; i + V::kWidth <= a.n; i += V::kWidth) V::load(a.x + i).store(a.y + i);
  if (i < a.n) {
    const int rest = static_cast<int>(a.n - i);
    V::load_partial(a.x + i, rest).store_partial(a.y + i, rest);
  }
}

}  // namespace
}  // namespace linnet::cpu
