// The bodies of batch norm's passes, over any vector type. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/batch_norm/batch_norm.h"
#include "cpu/kernels/finish_body.h"
#include "cpu/kernels/lanes_body.h"

namespace linnet::cpu {
namespace {

// Most of what these passes read and write lies in memory, not in a cache, and a CPU alone fetches too little
// of it before it is asked for.
constexpr int kLineBytes = 64;
constexpr int kAheadBytes = 4096;  // of what is read now

/// Asks for the line that lies kAheadBytes behind vector j of several, which may be behind the tensor.
template <class V, class T>
inline __attribute__((always_inline)) void fetch_ahead(const T* vector, int j) {
  if constexpr (V::kWidth > 1)
    if (j * V::kWidth * static_cast<int>(sizeof(T)) % kLineBytes == 0)
      __builtin_prefetch(reinterpret_cast<const char*>(vector) + kAheadBytes);
}

/// Pixels, from `begin` on, whose values go through the L1 cache together.
struct Tile {
  std::ptrdiff_t begin, end;
};

/// Calls visit(tile) for all pixels of c channels.
template <class Visit>
inline __attribute__((always_inline)) void for_each_tile(std::ptrdiff_t pixels, int c, const Visit& visit) {
  if (c == 0) return;  // a thread that has none
  constexpr std::ptrdiff_t kTileValues = 4096;
  const std::ptrdiff_t rows = kTileValues / c > 8 ? kTileValues / c : 8;
  for (std::ptrdiff_t begin = 0; begin < pixels; begin += rows)
    visit(Tile{begin, begin + rows < pixels ? begin + rows : pixels});
}

// Each body copies what it is called with: a half is stored as bytes, which for all the compiler knows may be
// those of the pointers and sizes, and it would load them again behind every vector.

template <class V, class T>
struct StatisticsBody {
  static constexpr bool kStores = sizeof(T) != sizeof(float);
  const StatisticsOf<T>& whole;
  Tile tile;

  template <int kVectors, bool kPartial>
  void run(int channel, int n) const {
    const StatisticsOf<T> a = whole;
    const Lanes<V, kPartial> lanes = {n};
    V shift[kVectors], sum[kVectors], squares[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      const int i = channel + j * V::kWidth;
      shift[j] = lanes.load(a.shift + i) * V::set(-1.0f);
      sum[j] = tile.begin > 0 ? lanes.load(a.sum + i) : V::zero();
      squares[j] = tile.begin > 0 ? lanes.load(a.sum_squares + i) : V::zero();
    }
    for (std::ptrdiff_t p = tile.begin; p < tile.end; ++p)
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        const std::ptrdiff_t at = p * a.row + channel + j * V::kWidth;
        const V z = lanes.load(a.z + at);
        if constexpr (kStores) {
          fetch_ahead<V>(a.stored + at, j);
          lanes.store(z, a.stored + at);
        }
        const V d = z + shift[j];
        sum[j] = sum[j] + d;
        squares[j] = fma(d, d, squares[j]);
      }
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      lanes.store(sum[j], a.sum + channel + j * V::kWidth);
      lanes.store(squares[j], a.sum_squares + channel + j * V::kWidth);
    }
  }
};

template <class V, class T>
void statistics(const StatisticsOf<T>& a) {
  for_each_tile(a.pixels, a.c, [&](Tile tile) {
    for_each_channel_group<V, 4>(a.c, StatisticsBody<V, T>{a, tile});
  });
}

/// Calls f.template operator()<finish>(), so that no loop inside has to choose.
template <class F>
inline __attribute__((always_inline)) void with_finish(Finish finish, const F& f) {
  switch (finish) {
    case Finish::kNone: return f.template operator()<Finish::kNone>();
    case Finish::kRelu: return f.template operator()<Finish::kRelu>();
    case Finish::kRelu6: return f.template operator()<Finish::kRelu6>();
    case Finish::kHardSwish: return f.template operator()<Finish::kHardSwish>();
    case Finish::kHardSigmoid: return f.template operator()<Finish::kHardSigmoid>();
  }
}

template <class V, Finish kFinish, class T, class Y>
struct NormaliseBody {
  const NormaliseOf<T, Y>& whole;
  Tile tile;

  template <int kVectors, bool kPartial>
  void run(int channel, int n) const {
    const NormaliseOf<T, Y> a = whole;
    const Lanes<V, kPartial> lanes = {n};
    V multiply[kVectors], add[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      const int i = channel + j * V::kWidth;
      multiply[j] = a.multiply ? lanes.load(a.multiply + i) : V::set(1.0f);
      add[j] = a.multiply ? lanes.load(a.add + i) : V::set(-0.0f);  // which changes no zero's sign
    }
    for (std::ptrdiff_t p = tile.begin; p < tile.end; ++p) {
      const T* const z = a.z + p * a.c + channel;
      Y* const y = a.y + p * a.y_pixel + channel;
      V value[1][kVectors];
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        fetch_ahead<V>(z + j * V::kWidth, j);
        value[0][j] = fma(lanes.load(z + j * V::kWidth), multiply[j], add[j]);
      }
      apply_finish(kFinish, value);
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) lanes.store(value[0][j], y + j * V::kWidth);
    }
  }
};

template <class Y>
inline void append_zeros(Y* rows, std::ptrdiff_t pixel, std::ptrdiff_t pixels, int c, int zeros) {
  if (zeros == 0) return;
  for (std::ptrdiff_t p = 0; p < pixels; ++p)
    for (int i = 0; i < zeros; ++i) rows[p * pixel + c + i] = Y{};
}

template <class V, class T, class Y>
void normalise(const NormaliseOf<T, Y>& a) {
  with_finish(a.finish, [&]<Finish kFinish>() {
    for_each_tile(a.pixels, a.c, [&](Tile tile) {
      for_each_channel_group<V, 4>(a.c, NormaliseBody<V, kFinish, T, Y>{a, tile});
    });
  });
  append_zeros(a.y, a.y_pixel, a.pixels, a.c, a.zeros);
}

/// dy * finish'(v)
template <class V, Finish kFinish>
inline __attribute__((always_inline)) V through_activation(V dy, V v) {
  const V three = V::set(3.0f);
  const V minus_three = V::set(-3.0f);
  if constexpr (kFinish == Finish::kRelu) return keep_between(dy, v, V::zero(), V::set(kInfinity));
  if constexpr (kFinish == Finish::kRelu6) return keep_between(dy, v, V::zero(), V::set(6.0f));
  if constexpr (kFinish == Finish::kHardSigmoid)
    return keep_between(dy * V::set(1.0f / 6.0f), v, minus_three, three);
  if constexpr (kFinish == Finish::kHardSwish) {
    const V steep = keep_between(fma(v, V::set(1.0f / 3.0f), V::set(0.5f)), v, minus_three, three);
    const V below_three = V::set(2.9999998f);  // the float before 3
    return dy * (steep + keep_between(V::set(1.0f), v, below_three, V::set(kInfinity)));
  }
  return dy;
}

template <class V, Finish kFinish, class T>
struct ActivationGradientBody {
  const ActivationGradientOf<T>& whole;
  Tile tile;

  template <int kVectors, bool kPartial>
  void run(int channel, int n) const {
    const ActivationGradientOf<T> a = whole;
    const Lanes<V, kPartial> lanes = {n};
    V multiply[kVectors], add[kVectors], mean[kVectors], sum[kVectors], centred[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      const int i = channel + j * V::kWidth;
      multiply[j] = a.multiply ? lanes.load(a.multiply + i) : V::set(1.0f);
      add[j] = a.multiply ? lanes.load(a.add + i) : V::zero();
      mean[j] = a.mean ? lanes.load(a.mean + i) * V::set(-1.0f) : V::zero();
      sum[j] = tile.begin > 0 ? lanes.load(a.sum + i) : V::zero();
      centred[j] = tile.begin > 0 ? lanes.load(a.sum_centred + i) : V::zero();
    }
    for (std::ptrdiff_t p = tile.begin; p < tile.end; ++p) {
      const std::ptrdiff_t at = p * a.row + channel;
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        const std::ptrdiff_t i = at + j * V::kWidth;
        fetch_ahead<V>(a.z + i, j);
        fetch_ahead<V>(a.dv + i, j);
        const V z = lanes.load(a.z + i);
        V d = lanes.load(a.dy + i);
        if (a.earlier) d = d + lanes.load(a.earlier + i);
        d = through_activation<V, kFinish>(d, fma(z, multiply[j], add[j]));
        lanes.store(d, a.dv + i);
        sum[j] = sum[j] + d;
        centred[j] = fma(d, z + mean[j], centred[j]);
      }
    }
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      lanes.store(sum[j], a.sum + channel + j * V::kWidth);
      lanes.store(centred[j], a.sum_centred + channel + j * V::kWidth);
    }
  }
};

template <class V, class T>
void activation_gradient(const ActivationGradientOf<T>& a) {
  with_finish(a.finish, [&]<Finish kFinish>() {
    constexpr int kVectors = kFinish == Finish::kHardSwish || kFinish == Finish::kHardSigmoid ? 2 : 4;
    for_each_tile(a.pixels, a.c, [&](Tile tile) {
      for_each_channel_group<V, kVectors>(a.c, ActivationGradientBody<V, kFinish, T>{a, tile});
    });
  });
}

/// kNorm: there is one.
template <class V, bool kNorm, class T, class Y>
struct NormaliseGradientBody {
  const NormaliseGradientOf<T, Y>& whole;
  Tile tile;

  template <int kVectors, bool kPartial>
  void run(int channel, int n) const {
    const NormaliseGradientOf<T, Y> a = whole;
    const Lanes<V, kPartial> lanes = {n};
    V by_gradient[kVectors], by_value[kVectors], constant[kVectors];
    if constexpr (kNorm) {
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        const int i = channel + j * V::kWidth;
        by_gradient[j] = lanes.load(a.by_gradient + i);
        by_value[j] = lanes.load(a.by_value + i);
        constant[j] = lanes.load(a.constant + i);
      }
    }
    for (std::ptrdiff_t p = tile.begin; p < tile.end; ++p) {
      const std::ptrdiff_t at = p * a.c + channel;
      Y* const dz = a.dz + p * a.dz_pixel + channel;
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        const std::ptrdiff_t i = at + j * V::kWidth;
        fetch_ahead<V>(a.dv + i, j);
        V d = lanes.load(a.dv + i);
        if constexpr (kNorm) {
          fetch_ahead<V>(a.z + i, j);
          d = fma(d, by_gradient[j], fma(lanes.load(a.z + i), by_value[j], constant[j]));
        }
        lanes.store(d, dz + j * V::kWidth);
      }
    }
  }
};

template <class V, class T, class Y>
void normalise_gradient(const NormaliseGradientOf<T, Y>& a) {
  for_each_tile(a.pixels, a.c, [&](Tile tile) {
    if (a.by_gradient)
      for_each_channel_group<V, 4>(a.c, NormaliseGradientBody<V, true, T, Y>{a, tile});
    else
      for_each_channel_group<V, 4>(a.c, NormaliseGradientBody<V, false, T, Y>{a, tile});
  });
  append_zeros(a.dz, a.dz_pixel, a.pixels, a.c, a.zeros);
}

}  // namespace
}  // namespace linnet::cpu
