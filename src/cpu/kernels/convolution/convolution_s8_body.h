// The one body of convolution_s8, over any ISA's Dot. Internal linkage: see finish_body.h.
//
// A tile is a few pixels by a few vectors of output channels, all of the depth in registers. It leaves by one
// of two doors: the usual one requantizes with the float FMA, packs and stores; the other stores the
// accumulators as they are, for what is rare (64-bit requantization, zero points of weights) and need not be
// inlined.
#pragma once

#include "cpu/kernels/abilities_s8_body.h"
#include "cpu/kernels/convolution/convolution_s8.h"

namespace linnet::cpu {
namespace {

/// How a tile multiplies: as all do; with the careful form for weights of -128; with its last vector at half
/// width.
enum class TileForm { kPlain, kWide, kNarrow };

struct TileS8 {
  const std::byte* x;    ///< gathered
  std::ptrdiff_t x_row;  ///< bytes a pixel
  int groups;
  const std::byte* weight;
  const std::int32_t* bias;
  const float* scale;
  std::int8_t* y;
  std::ptrdiff_t y_pixel;
  int channels;              ///< that are stored, at most those of the vectors
  bool clamps;               ///< the output's limits are not int8's own
  const std::int8_t* table;  ///< that the tile looks up itself; or nullptr
  std::int32_t* raw;         ///< [rows, vectors, lanes]: accumulators go there and nothing to y; or nullptr
  const std::byte*
      ahead;  ///< weights of the next panel, of which every tile fetches some lines into the L2 cache
  int ahead_lines;
};

/// Stores a tile's rows.
template <class V, int kVectors>
struct TileStoreS8 {
  std::ptrdiff_t y_pixel;
  int channels;
  bool whole;  ///< the vectors have no lane too many

  /// Where the panel is all of y, what a row has too much is overwritten by the next one.
  inline __attribute__((always_inline)) void row(std::int8_t* y, typename V::S8 bytes, bool last) const {
    constexpr int kWhole = kVectors * V::kLanes;
    if (whole || (!last && channels == y_pixel && kWhole <= 2 * channels))
      V::template store_first<kVectors>(y, bytes);
    else
      V::store_partial(y, bytes, channels);
  }
};

/// Multiply-adds of step kStep of an X for all rows.
template <class D, int kStep, TileForm kForm, int kRows, int kVectors>
inline __attribute__((always_inline)) void multiply_step_s8(typename D::Int8::I32 (&acc)[kRows][kVectors],
                                                            const typename D::X (&x)[kRows],
                                                            const std::byte* w) {
  typename D::Weights b[kVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) b[j] = D::load_weights(w + j * static_cast<int>(sizeof(b[0])));
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j)
      acc[i][j] = D::template multiply_add<kStep, kForm == TileForm::kWide>(acc[i][j], x[i], b[j]);
}

template <class D, int kRows, int kVectors, TileForm kForm>
inline __attribute__((always_inline)) void convolution_tile_s8(const TileS8& t,
                                                               const typename D::Int8::Output& to) {
  using V = typename D::Int8;
  constexpr int kStepBytes = kVectors * static_cast<int>(sizeof(typename D::Weights));
  constexpr int kGroupBytes = D::kLayout.group * D::kLayout.bytes;
  typename V::I32 acc[kRows][kVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) {
    const typename V::I32 bias = V::load(t.bias + j * V::kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) acc[i][j] = bias;
  }

  const std::byte* w = t.weight;
  // A pointer for every third row: the two between are reached by the addressing mode.
  constexpr int kPointers = (kRows + 2) / 3;
  const std::byte* rows[kPointers];
#pragma GCC unroll 8
  for (int i = 0; i < kPointers; ++i) rows[i] = t.x + 3 * i * t.x_row;
  int g = t.groups;
  for (; g >= D::kSteps; g -= D::kSteps) {
    if constexpr (D::kSteps == 1) {
      typename D::Weights b[kVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) {
        if constexpr (kForm == TileForm::kNarrow) {
          if (j == kVectors - 1) {
            b[j] = D::load_weights_narrow(w + j * static_cast<int>(sizeof(b[0])));
            continue;
          }
        }
        b[j] = D::load_weights(w + j * static_cast<int>(sizeof(b[0])));
      }
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const typename D::X x = D::load_x(rows[i / 3] + (i % 3) * t.x_row);
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; ++j) {
          if constexpr (kForm == TileForm::kNarrow) {
            if (j == kVectors - 1) {
              acc[i][j] = D::multiply_add_narrow(acc[i][j], x, b[j]);
              continue;
            }
          }
          acc[i][j] = D::template multiply_add<0, kForm == TileForm::kWide>(acc[i][j], x, b[j]);
        }
      }
    } else {
      typename D::X x[kRows];
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) x[i] = D::load_x(rows[i / 3] + (i % 3) * t.x_row);
      multiply_step_s8<D, 0, kForm>(acc, x, w);
      multiply_step_s8<D, 1, kForm>(acc, x, w + kStepBytes);
      multiply_step_s8<D, 2, kForm>(acc, x, w + 2 * kStepBytes);
      multiply_step_s8<D, 3, kForm>(acc, x, w + 3 * kStepBytes);
    }
    w += D::kSteps * kStepBytes;
#pragma GCC unroll 8
    for (int i = 0; i < kPointers; ++i) rows[i] += D::kSteps * kGroupBytes;
  }
  if constexpr (D::kSteps > 1) {
    for (; g > 0; --g) {
      typename D::X x[kRows];
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) x[i] = D::load_last_x(rows[i / 3] + (i % 3) * t.x_row);
      multiply_step_s8<D, 0, kForm>(acc, x, w);
      w += kStepBytes;
#pragma GCC unroll 8
      for (int i = 0; i < kPointers; ++i) rows[i] += kGroupBytes;
    }
  }

  if (t.raw) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) V::store(t.raw + (i * kVectors + j) * V::kLanes, acc[i][j]);
    return;
  }
  typename V::F32 scale[kVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) scale[j] = V::load(t.scale + j * V::kLanes);
  // Few vectors: as many rows as fill a pack() go through it together.
  constexpr int kTogether = kVectors == 1 ? 4 : kVectors == 2 ? 2 : 1;
  const TileStoreS8<V, kVectors> store = {t.y_pixel, t.channels, kVectors * V::kLanes == t.channels};
  std::int8_t* y = t.y;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; i += kTogether) {
    typename V::I32 v[4];
#pragma GCC unroll 4
    for (int n = 0; n < 4; ++n) {
      const int row = i + n / kVectors, j = n % kVectors;
      v[n] = n >= kTogether * kVectors || row >= kRows ? v[n - 1] : V::scale(acc[row][j], scale[j], to);
    }
    typename V::S8 bytes = V::pack(v[0], v[1], v[2], v[3]);
    bytes = kForm == TileForm::kNarrow ? V::in_order(bytes) : V::template compact<kVectors>(bytes);
    if (t.clamps) bytes = V::clamp(bytes, to);
    if constexpr (LooksUpInRegisters<V>) {
      if (t.table) bytes = V::lookup(t.table, bytes);
    }
    store.row(y, V::template part<kVectors, 0>(bytes), i + 1 == kRows);
    if constexpr (kTogether > 1) {
      if (i + 1 < kRows) store.row(y + t.y_pixel, V::template part<kVectors, 1>(bytes), i + 2 == kRows);
    }
    if constexpr (kTogether > 2) {
      if (i + 2 < kRows) store.row(y + 2 * t.y_pixel, V::template part<kVectors, 2>(bytes), i + 3 == kRows);
      if (i + 3 < kRows) store.row(y + 3 * t.y_pixel, V::template part<kVectors, 3>(bytes), i + 4 == kRows);
    }
    y += kTogether * t.y_pixel;
  }
}

/// `tiles` tiles of kRows pixels each, one behind the other.
template <class D, int kRows, int kVectors, TileForm kForm>
void convolution_tiles_s8(TileS8 t, int tiles, const typename D::Int8::Output& to) {
  for (; tiles > 0; --tiles) {
    for (int i = 0; i < t.ahead_lines; ++i) __builtin_prefetch(t.ahead + 64 * i, 0, 2);
    t.ahead += 64 * t.ahead_lines;
    convolution_tile_s8<D, kRows, kVectors, kForm>(t, to);
    t.x += kRows * t.x_row;
    t.y += kRows * t.y_pixel;
  }
}

/// What follows the tile: `rows` pixels of a panel of `vectors`.
template <class D>
class TileEndS8 {
  using V = typename D::Int8;

 public:
  explicit TileEndS8(const ConvolutionS8& a)
      : a_(a),
        to_(a.to),
        sum_(a.residual.zero_a, a.residual.zero_b,
             a.residual.x ? a.residual.by : linnet_add_multiplier{0, 0, 1}, a.residual.to) {}

  const typename V::Output& to() const { return to_; }

  /// Accumulators to bytes, [rows][4 * lanes] of them. sums: of the gathered x a pixel. `lane` is the panel's
  /// first.
  __attribute__((noinline)) void requantize(const std::int32_t* raw, int rows, int vectors, bool narrow,
                                            int lane, const std::int32_t* sums, std::int8_t* bytes) const {
    for (int i = 0; i < rows; ++i) {
      typename V::I32 v[4];
      for (int j = 0; j < 4; ++j) {
        const int from = j < vectors ? j : vectors - 1;
        const int at = lane + from * V::kLanes;
        typename V::I32 acc = V::load(raw + (i * vectors + from) * V::kLanes);
        if (sums) acc = D::sub(acc, D::set(wrapping_product(a_.zero_w, sums[i])));
        v[j] = a_.m ? V::scale(acc, V::load(a_.m + at), V::load(a_.t + at), to_)
                    : V::scale(acc, V::load(a_.scale + at), to_);
      }
      typename V::S8 packed = V::pack(v[0], v[1], v[2], v[3]);
      switch (narrow ? 1 : vectors) {  // compact<1>() is in_order()
        case 1: packed = V::template compact<1>(packed); break;
        case 2: packed = V::template compact<2>(packed); break;
        case 3: packed = V::template compact<3>(packed); break;
        default: break;
      }
      V::store(bytes + i * 4 * V::kLanes, V::clamp(packed, to_));
    }
  }

  /// Residual and table; [rows][4 * lanes] bytes to y. `offset` is y's, and the residual's.
  __attribute__((noinline)) void finish(const std::int8_t* bytes, int rows, std::ptrdiff_t offset,
                                        int channels) const {
    for (int i = 0; i < rows; ++i, offset += a_.k) finish_vector(bytes + i * kBytes, offset, channels);
  }
  /// The same for n bytes that follow one another.
  __attribute__((noinline)) void finish_contiguous(const std::int8_t* bytes, std::ptrdiff_t offset,
                                                   int n) const {
    for (; n > 0; n -= kBytes, bytes += kBytes, offset += kBytes)
      finish_vector(bytes, offset, n < kBytes ? n : kBytes);
  }

 private:
  static constexpr int kBytes = 4 * V::kLanes;

  void finish_vector(const std::int8_t* bytes, std::ptrdiff_t offset, int n) const {
    typename V::S8 v = V::load(bytes);
    if (a_.residual.x) {
      const typename V::S8 other = V::load_partial(a_.residual.x + offset, n);
      v = a_.residual.is_a ? V::add(other, v, sum_) : V::add(v, other, sum_);
    }
    if (a_.table) v = V::lookup(a_.table, v);
    V::store_partial(a_.y + offset, v, n);
  }

  static std::int32_t wrapping_product(std::int32_t a, std::int32_t b) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) * static_cast<std::uint32_t>(b));
  }

  const ConvolutionS8& a_;
  typename V::Output to_;
  typename V::Sum sum_;
};

/// Runs the tiles function of exactly `rows` rows.
template <class D, int kVectors, TileForm kForm, int kRows = D::max_rows(kVectors)>
void run_tiles_s8(int rows, const TileS8& t, int tiles, const typename D::Int8::Output& to) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return run_tiles_s8<D, kVectors, kForm, kRows - 1>(rows, t, tiles, to);
  }
  convolution_tiles_s8<D, kRows, kVectors, kForm>(t, tiles, to);
}

/// One panel for the pixels [begin, end) that were gathered: tiles as even as they can be.
template <class D, int kVectors, TileForm kForm>
void convolution_panel_s8(const ConvolutionS8& a, const TileEndS8<D>& tile_end, TileS8 t, int lane, int begin,
                          int end, const std::int32_t* sums) {
  using V = typename D::Int8;
  constexpr int kMaxRows = D::max_rows(kVectors);
  constexpr int kRowBytes = 4 * V::kLanes;
  const int pixels = end - begin;
  const int tiles = (pixels + kMaxRows - 1) / kMaxRows;
  const int rows = pixels / tiles;
  const int longer = pixels % tiles;  // tiles that have a row more
  const bool is_raw = a.m || sums;
  // A panel's first tile would wait for the L3 cache. In long panels the hardware looks ahead well enough,
  // and a single tile has no time to spare.
  constexpr int kLongPanel = 24 * 1024;
  const int panel_bytes = static_cast<int>(t.x_row) * kVectors * V::kLanes;
  t.ahead = t.weight + panel_bytes;
  t.ahead_lines = tiles > 1 && panel_bytes <= kLongPanel ? panel_bytes / 64 / tiles + 1 : 0;
  t.y += std::ptrdiff_t{begin} * a.k;
  if (!is_raw && !a.residual.x && (!a.table || LooksUpInRegisters<V>)) {
    if constexpr (LooksUpInRegisters<V>) t.table = a.table;
    if (longer > 0) {
      run_tiles_s8<D, kVectors, kForm>(rows + 1, t, longer, tile_end.to());
      t.ahead += longer * t.ahead_lines * 64;
      t.x += longer * (rows + 1) * t.x_row;
      t.y += longer * (rows + 1) * t.y_pixel;
    }
    return run_tiles_s8<D, kVectors, kForm>(rows, t, tiles - longer, tile_end.to());
  }

  // Some tiles go to the buffer before the first is finished: its stores have then left for the cache, and
  // loads that span several of them do not wait.
  constexpr int kTogether = 4;
  alignas(64) std::int8_t bytes[kTogether * kMaxRows * kRowBytes];
  alignas(64) std::int32_t raw[kMaxRows * kVectors * V::kLanes];
  const int channels = t.channels;
  std::ptrdiff_t offset = t.y - a.y;
  if (is_raw) t.raw = raw;
  t.y = bytes;
  // Where the panel is all of y's channels, rows follow one another without a gap and are finished as one.
  const bool single = channels == a.k && !is_raw;
  t.y_pixel = single ? a.k : kRowBytes;
  t.channels = kVectors * V::kLanes;
  for (int tile = 0; tile < tiles;) {
    const int same = (tile < longer ? longer : tiles) - tile;  // tiles of as many rows
    const int together = is_raw ? 1 : same < kTogether ? same : kTogether;
    const int tile_rows = rows + (tile < longer ? 1 : 0);
    const int count = together * tile_rows;
    run_tiles_s8<D, kVectors, kForm>(tile_rows, t, together, tile_end.to());
    if (is_raw) tile_end.requantize(raw, count, kVectors, kForm == TileForm::kNarrow, lane, sums, bytes);
    if (single)
      tile_end.finish_contiguous(bytes, offset, count * channels);
    else
      tile_end.finish(bytes, count, offset, channels);
    t.ahead += together * t.ahead_lines * 64;
    t.x += count * t.x_row;
    offset += std::ptrdiff_t{count} * a.k;
    if (sums) sums += count;
    tile += together;
  }
}

/// Windows of the pixels [begin, end) to a.scratch, `row` bytes each.
template <class D>
void gather_windows_s8(const ConvolutionS8& a, int begin, int end, std::ptrdiff_t row) {
  const std::int8_t* x = a.x + begin * a.x_pixel;
  std::byte* y = a.scratch;
  const std::ptrdiff_t step = std::ptrdiff_t{a.run} * D::kLayout.bytes;
  // What lies behind a run belongs to the windows of the pixels that follow, as long as there are enough.
  const std::ptrdiff_t last = a.x_pixel * (a.pixels - 1) + a.run - 16;
  int i = begin;
  if constexpr (GathersStems<D>) {
    constexpr int kPixels = 4, kPixel = 6, kRow = 28;  // what D::gather_stem() takes
    if (a.runs == 3 && a.run == 9 && a.x_pixel == kPixel && row == kRow) {
      const std::ptrdiff_t last_four = last + 16 - 32;
      for (; i + kPixels <= end && i * kPixel <= last_four; i += kPixels) {
        D::gather_stem(x, x + a.x_run, x + 2 * a.x_run, y);
        x += kPixels * kPixel;
        y += kPixels * kRow;
      }
    }
  }
  if (a.runs == 3 && a.run <= 16) {  // a stem
    for (; i < end && i * a.x_pixel <= last; ++i, x += a.x_pixel, y += row) {
      D::gather_sixteen(x, y);
      D::gather_sixteen(x + a.x_run, y + step);
      D::gather_sixteen(x + 2 * a.x_run, y + 2 * step);
    }
  }
  for (; i < end; ++i, x += a.x_pixel, y += row)
    for (int r = 0; r < a.runs; ++r) D::gather(x + r * a.x_run, a.run, y + r * step);
}

/// Sums of the windows of the pixels [begin, end), `offset` added to every value.
inline void sum_windows_s8(const ConvolutionS8& a, int offset, int begin, int end, std::int32_t* sums) {
  const std::int8_t* x = a.x + begin * a.x_pixel;
  for (int i = begin; i < end; ++i, x += a.x_pixel) {
    std::int32_t sum = a.runs * a.run * offset;
    for (int r = 0; r < a.runs; ++r)
      for (int d = 0; d < a.run; ++d) sum += x[r * a.x_run + d];
    *sums++ = sum;
  }
}

/// Both, where the weights have a zero point; else `sums` is nullptr.
template <class D>
void gather_s8(const ConvolutionS8& a, int begin, int end, std::ptrdiff_t row, std::int32_t* sums) {
  const std::ptrdiff_t used = std::ptrdiff_t{a.runs} * a.run * D::kLayout.bytes;
  if (a.runs == 1 && a.x_pixel == a.run && row == used)
    D::gather(a.x + begin * a.x_pixel, (end - begin) * a.run, a.scratch);
  else
    gather_windows_s8<D>(a, begin, end, row);
  if (sums) sum_windows_s8(a, D::kLayout.offset, begin, end, sums);
}

template <class D, TileForm kForm>
void run_panel_s8(int vectors, const ConvolutionS8& a, const TileEndS8<D>& tile_end, const TileS8& t,
                  int lane, int begin, int end, const std::int32_t* sums) {
  switch (vectors) {
    case 1: return convolution_panel_s8<D, 1, kForm>(a, tile_end, t, lane, begin, end, sums);
    case 2: return convolution_panel_s8<D, 2, kForm>(a, tile_end, t, lane, begin, end, sums);
    case 3: return convolution_panel_s8<D, 3, kForm>(a, tile_end, t, lane, begin, end, sums);
    default: return convolution_panel_s8<D, 4, kForm>(a, tile_end, t, lane, begin, end, sums);
  }
}

template <class D, TileForm kForm>
void convolution_panels_s8(const ConvolutionS8& a) {
  using V = typename D::Int8;
  const int depth = padded_depth_s8(D::kLayout, a.runs * a.run);
  const std::ptrdiff_t row = std::ptrdiff_t{depth} * D::kLayout.bytes;
  const int block = convolution_block_s8(D::kLayout, a.runs * a.run, a.pixels);
  std::int32_t* const sums =
      a.zero_w
          ? reinterpret_cast<std::int32_t*>(a.scratch + (block * row + kConvolutionSlackS8 + 63) / 64 * 64)
          : nullptr;
  const bool in_place = D::kLayout.reads_unsigned && a.x_is_unsigned;
  const TileEndS8<D> tile_end(a);
  for (int begin = 0; begin < a.pixels; begin += block) {
    const int end = a.pixels - begin < block ? a.pixels : begin + block;
    if (!in_place) gather_s8<D>(a, begin, end, row, sums);
    for (int p = a.panel_begin; p < a.panel_end; ++p) {
      const PanelS8 panel = panel_s8(D::kLayout, a.k, p);
      const int lane = panel.first * V::kLanes;
      TileS8 t = {};
      t.x = in_place ? reinterpret_cast<const std::byte*>(a.x + std::ptrdiff_t{begin} * depth) : a.scratch;
      t.x_row = row;
      t.groups = depth / D::kLayout.group;
      t.weight = a.weight + lane * row;
      t.bias = a.bias + lane;
      t.scale = a.scale + lane;
      t.y = a.y + lane;
      t.y_pixel = a.k;
      t.clamps = a.to.lo > LINNET_INT8_MIN || a.to.hi < LINNET_INT8_MAX;
      t.channels = a.k - lane < panel.vectors * V::kLanes ? a.k - lane : panel.vectors * V::kLanes;
      if constexpr (D::kLayout.narrows) {
        if (panel.narrow) {
          run_panel_s8<D, TileForm::kNarrow>(panel.vectors, a, tile_end, t, lane, begin, end, sums);
          continue;
        }
      }
      run_panel_s8<D, kForm>(panel.vectors, a, tile_end, t, lane, begin, end, sums);
    }
  }
}

template <class D>
void convolution_s8(const ConvolutionS8& a) {
  if constexpr (D::kWideDiffers) {
    if (a.wide) return convolution_panels_s8<D, TileForm::kWide>(a);
  }
  convolution_panels_s8<D, TileForm::kPlain>(a);
}

}  // namespace
}  // namespace linnet::cpu
