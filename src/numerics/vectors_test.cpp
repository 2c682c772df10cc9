// Every vector form against int8.h, over the domain that the bounds allow.
#include "numerics/vectors.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/cases.h"

namespace linnet::numerics {
namespace {

/// Those that this CPU runs. Each test below passes trivially where there is none.
std::vector<const VectorForm*> forms() {
#if defined(__x86_64__)
  std::vector<const VectorForm*> found;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.push_back(&vectors_avx2());
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    found.push_back(&vectors_avx512());
  if (__builtin_cpu_supports("avx512vbmi")) found.push_back(&vectors_avx512_vbmi());
  return found;
#elif defined(__aarch64__)
  return {&vectors_neon()};
#else
  return {};
#endif
}

int rounds(int usual) { return testing::cases(usual, 100 * usual); }

int in(Random& random, std::int64_t low, std::int64_t high) {
  return static_cast<int>(
      low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1))));
}

linnet_multiplier random_multiplier(Random& random) {
  if (random.below(16) == 0) return {0, 1};
  return {in(random, LINNET_M_MIN / 2, LINNET_M_MAX / 2) * 2 + 1, in(random, LINNET_T_MIN, LINNET_T_MAX)};
}

linnet_output random_output(Random& random) {
  const int lo = in(random, -128, 127);
  switch (random.below(3)) {
    case 0: return {in(random, -128, 127), -128, 127};
    case 1: return {lo, lo, 127};
    default: return {in(random, -128, 127), lo, in(random, lo, 127)};
  }
}

/// The largest bound that linnet_is_exact_in_float() allows.
std::int64_t largest_bound(linnet_multiplier by) {
  std::int64_t low = 0, high = std::int64_t{1} << 25;
  while (low + 1 < high) {
    const std::int64_t middle = (low + high) / 2;
    (linnet_is_exact_in_float(middle, by) ? low : high) = middle;
  }
  return low;
}

/// Ends, zero, powers of two and numbers near int8's edges besides evenly drawn ones.
std::int32_t random_acc(Random& random, std::int64_t bound, linnet_multiplier by) {
  std::int64_t acc = in(random, -bound, bound);
  switch (random.below(8)) {
    case 0: acc = bound - static_cast<std::int64_t>(random.below(3)); break;
    case 1: acc = -bound + static_cast<std::int64_t>(random.below(3)); break;
    case 2: acc = 0; break;
    case 3: acc &= ~((std::int64_t{1} << in(random, 0, 24)) - 1); break;
    case 4:
    case 5:
      acc = by.m ? static_cast<std::int64_t>(std::ldexp(in(random, -600, 600) / 2.0, by.t) / by.m) : acc;
      break;
    default: break;
  }
  return static_cast<std::int32_t>(std::clamp(acc, -bound, bound));
}

TEST(vectors, requantize_in_float_is_requantize_wherever_the_bounds_allow_it) {
  Random random(101);
  for (const VectorForm* form : forms()) {
    const int block = 4 * form->lanes;
    std::vector<std::int32_t> acc(static_cast<std::size_t>(block));
    std::vector<float> scale(acc.size());
    std::vector<linnet_multiplier> by(acc.size());
    std::vector<std::int8_t> y(acc.size());
    for (int round = 0; round < rounds(40'000); ++round) {
      const linnet_output to = random_output(random);
      for (std::size_t i = 0; i < acc.size(); ++i) {
        by[i] = random_multiplier(random);
        acc[i] = random_acc(random, largest_bound(by[i]), by[i]);
        scale[i] = std::ldexp(static_cast<float>(by[i].m), -by[i].t);
      }
      form->requantize_in_float(acc.data(), scale.data(), to, 1, y.data());
      for (std::size_t i = 0; i < acc.size(); ++i)
        ASSERT_EQ(y[i], linnet_requantize(acc[i], by[i], to))
            << form->isa << ": " << acc[i] << " * " << by[i].m << " >> " << by[i].t << ", zero point "
            << to.zero_point;
    }
  }
}

TEST(vectors, requantize_in_float_is_requantize_for_every_accumulator_of_a_channel) {
  Random random(103);
  for (const VectorForm* form : forms()) {
    const int block = 4 * form->lanes;
    const linnet_multiplier by = {in(random, LINNET_M_MIN / 2, LINNET_M_MAX / 2) * 2 + 1, 31};
    const linnet_output to = {-7, -128, 127};
    const std::vector<float> scale(static_cast<std::size_t>(block),
                                   std::ldexp(static_cast<float>(by.m), -by.t));
    std::vector<std::int32_t> acc(scale.size());
    std::vector<std::int8_t> y(scale.size());
    const std::int64_t bound = largest_bound(by);
    ASSERT_EQ(bound, 1 << 24);
    for (std::int64_t first = -bound; first <= bound; first += block) {
      for (int i = 0; i < block; ++i)
        acc[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(std::min(first + i, bound));
      form->requantize_in_float(acc.data(), scale.data(), to, 1, y.data());
      for (std::size_t i = 0; i < acc.size(); ++i)
        ASSERT_EQ(y[i], linnet_requantize(acc[i], by, to)) << form->isa << ": " << acc[i];
    }
  }
}

TEST(vectors, requantize_in_integers_is_requantize_for_any_accumulator_and_multiplier) {
  Random random(107);
  for (const VectorForm* form : forms()) {
    std::vector<std::int32_t> acc(static_cast<std::size_t>(4 * form->lanes)), m(acc.size()), t(acc.size());
    std::vector<std::int8_t> y(acc.size());
    for (int round = 0; round < rounds(40'000); ++round) {
      const linnet_output to = random_output(random);
      for (std::size_t i = 0; i < acc.size(); ++i) {
        linnet_multiplier by = random_multiplier(random);
        if (random.below(4) == 0 && by.m) by.m = LINNET_M_MIN;  // even: ties occur
        acc[i] = random_acc(random, INT32_MAX, by);
        if (random.below(64) == 0) acc[i] = INT32_MIN;
        m[i] = by.m;
        t[i] = by.t;
      }
      form->requantize(acc.data(), m.data(), t.data(), to, 1, y.data());
      for (std::size_t i = 0; i < acc.size(); ++i)
        ASSERT_EQ(y[i], linnet_requantize(acc[i], {m[i], t[i]}, to))
            << form->isa << ": " << acc[i] << " * " << m[i] << " >> " << t[i] << ", zero point "
            << to.zero_point;
    }
  }
}

TEST(vectors, add_is_add_for_every_pair_of_bytes) {
  Random random(109);
  for (const VectorForm* form : forms()) {
    std::vector<std::int8_t> a(65536), b(65536), y(65536);
    for (int i = 0; i < 65536; ++i) {
      a[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(i);
      b[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(i >> 8);
    }
    for (int round = 0; round < rounds(60); ++round) {
      const bool ends = round % 4 == 0;
      const linnet_add_multiplier by = {ends ? +LINNET_ADD_M_MAX : in(random, 0, LINNET_ADD_M_MAX),
                                        ends ? +LINNET_ADD_M_MAX : in(random, 0, LINNET_ADD_M_MAX),
                                        in(random, LINNET_T_MIN, LINNET_ADD_T_MAX)};
      const int zero_a = ends ? -128 : in(random, -128, 127), zero_b = ends ? -128 : in(random, -128, 127);
      const linnet_output to = random_output(random);
      form->add(a.data(), zero_a, b.data(), zero_b, by, to, 65536 / (4 * form->lanes), y.data());
      for (std::size_t i = 0; i < y.size(); ++i)
        ASSERT_EQ(y[i], linnet_add(a[i], zero_a, b[i], zero_b, by, to))
            << form->isa << ": " << int{a[i]} << ", " << int{b[i]} << "; zeros " << zero_a << ", " << zero_b
            << "; " << by.m_a << ", " << by.m_b << " >> " << by.t;
    }
  }
}

TEST(vectors, lookup_is_lookup_for_every_byte_in_every_place) {
  Random random(113);
  for (const VectorForm* form : forms()) {
    const int block = 4 * form->lanes;
    std::int8_t table[256];
    for (std::int8_t& v : table) v = static_cast<std::int8_t>(random.next());
    std::vector<std::int8_t> x(static_cast<std::size_t>(256 * block)), y(x.size());
    for (int i = 0; i < 256; ++i)
      for (int j = 0; j < block; ++j)
        x[static_cast<std::size_t>(i * block + j)] = static_cast<std::int8_t>(i + 37 * j);
    form->lookup(table, x.data(), 256, y.data());
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(y[i], linnet_lookup(table, x[i])) << form->isa << ": " << int{x[i]};
  }
}

TEST(vectors, packing_keeps_the_order_that_it_says) {
  for (const VectorForm* form : forms()) {
    const int lanes = form->lanes;
    std::vector<std::int32_t> values(static_cast<std::size_t>(4 * lanes));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(i) - 20;
    values[1] = INT32_MAX;
    values[2] = INT32_MIN;
    std::vector<std::int8_t> y(values.size());
    for (int vectors = 1; vectors <= 4; ++vectors) {
      std::fill(y.begin(), y.end(), std::int8_t{55});
      form->pack_compact(values.data(), vectors, y.data());
      for (int n = 0; n < (vectors == 3 ? 1 : 4 / vectors); ++n)
        for (int v = 0; v < vectors; ++v)
          for (int i = 0; i < lanes; ++i) {
            const int place = n * vectors * lanes + 4 * vectors * (i / 4) + 4 * v + i % 4;
            ASSERT_EQ(y[static_cast<std::size_t>(place)],
                      std::clamp(values[static_cast<std::size_t>((n * vectors + v) * lanes + i)], -128, 127))
                << form->isa << ": " << vectors << " vectors, lane " << i << " of vector " << v;
          }
      if (vectors == 3) {
        ASSERT_EQ(y[static_cast<std::size_t>(3 * lanes)], 55) << form->isa << " stores more than was asked";
      }
    }
  }
}

TEST(vectors, a_partial_copy_touches_its_bytes_alone) {
  for (const VectorForm* form : forms()) {
    const int block = 4 * form->lanes;
    for (int n = 0; n <= block; ++n) {
      std::vector<std::int8_t> x(static_cast<std::size_t>(n)), y(static_cast<std::size_t>(block), 99),
          loaded(y.size());
      x.reserve(1);  // of no bytes, a pointer to somewhere
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::int8_t>(i + 1);
      form->copy_partial(x.data(), n, y.data(), loaded.data());
      for (int i = 0; i < block; ++i) {
        ASSERT_EQ(y[static_cast<std::size_t>(i)], i < n ? i + 1 : 99) << form->isa;
        ASSERT_EQ(loaded[static_cast<std::size_t>(i)], i < n ? i + 1 : 0) << form->isa;
      }
    }
  }
}

}  // namespace
}  // namespace linnet::numerics
