#include "data/augment.h"

#include <algorithm>
#include <cmath>

#include "data/cifar10.h"
#include "image/resize.h"

namespace linnet::data {
namespace {

/// Pixels of 8 bits at any distances from each other, in bytes.
struct Pixels {
  const std::uint8_t* first;
  std::ptrdiff_t row, column, channel;
};

struct Cut {
  int begin = 0, end = 0;
};

/// What is drawn for the last step.
struct Placement {
  int dy = 0, dx = 0;  ///< where in the picture the input's first pixel lies
  bool flip = false;
  Cut cut_rows, cut_columns;  ///< set to zero
};

/// `n` values around a random pixel, clipped to the picture.
Cut draw_cut(int size, int n, Random& random) {
  const int begin = static_cast<int>(random.below(static_cast<std::uint64_t>(size))) - n / 2;
  return {std::max(begin, 0), std::min(begin + n, size)};
}

Placement draw_placement(const Augmentation& a, Shape input, Random& random) {
  Placement p;
  if (a.crop_padding > 0) {
    const auto shift = [&] {
      return static_cast<int>(random.below(2 * static_cast<std::uint64_t>(a.crop_padding) + 1)) -
             a.crop_padding;
    };
    p.dy = shift();
    p.dx = shift();
  }
  if (a.flip) p.flip = random.below(2) == 1;
  if (a.cutout > 0) {
    p.cut_rows = draw_cut(input.h, a.cutout, random);
    p.cut_columns = draw_cut(input.w, a.cutout, random);
  }
  return p;
}

/// -1 is 1, size is size - 2: the border pixel itself does not repeat. Needs an index less than one size
/// away.
int reflected(int i, int size) { return i < 0 ? -i : i >= size ? 2 * size - 2 - i : i; }

/// `in` has the input's own size.
template <int kChannels>
void place(const Pixels& in, const Placement& p, Border border, const image::PixelValues& values, Shape input,
           float* out) {
  const int direction = p.flip ? -1 : 1;
  const int first = p.flip ? input.w - 1 + p.dx : p.dx;  // the column that the output's first shows
  const int begin = std::max(0, p.flip ? p.dx : -p.dx);
  const int end = begin + input.w - std::abs(p.dx);
  const std::ptrdiff_t step = direction * in.column;

  const auto put = [&](const std::uint8_t* pixel) {
    for (int c = 0; c < kChannels; ++c) *out++ = values[c][pixel[c * in.channel]];
  };
  const auto put_black = [&] {
    for (int c = 0; c < kChannels; ++c) *out++ = values[c][0];
  };
  for (int y = 0; y < input.h; ++y) {
    const int from = y + p.dy;
    if (border == Border::kBlack && (from < 0 || from >= input.h)) {
      for (int x = 0; x < input.w; ++x) put_black();
      continue;
    }
    const std::uint8_t* row = in.first + reflected(from, input.h) * in.row;
    const auto put_outside = [&](int x) {
      if (border == Border::kBlack)
        put_black();
      else
        put(row + reflected(first + direction * x, input.w) * in.column);
    };
    for (int x = 0; x < begin; ++x) put_outside(x);
    const std::uint8_t* pixel = row + (first + direction * begin) * in.column;
    for (int x = begin; x < end; ++x, pixel += step) put(pixel);
    for (int x = end; x < input.w; ++x) put_outside(x);
  }
}

void cut_out(const Placement& p, Shape input, float* out) {
  for (int y = p.cut_rows.begin; y < p.cut_rows.end; ++y) {
    float* row = out + std::ptrdiff_t{y} * input.w * input.c;
    std::fill(row + p.cut_columns.begin * input.c, row + p.cut_columns.end * input.c, 0.0f);
  }
}

}  // namespace

Result<Augmenter> Augmenter::make(const Augmentation& a, const Preprocessing& preprocessing, Shape input) {
  if (input.h < 1 || input.w < 1 || (input.c != 1 && input.c != 3))
    return fail("the model's input is {}; a picture can only become an input of 1 or 3 channels",
                to_string(input));
  // Whatever is wrong with the preprocessing shows on any picture.
  const image::Image black{.height = input.h,
                           .width = input.w,
                           .pixels = std::vector<std::uint8_t>(std::size_t(3) * input.h * input.w)};
  std::vector<float> output(static_cast<std::size_t>(input.size()));
  LINNET_CHECK(image::preprocess(black, preprocessing, input, output));
  const int edge = std::min(input.h, input.w);
  if (a.crop_padding < 0 || a.crop_padding >= edge)
    return usage("a crop with {} pixels around the picture makes no sense for an input of {}", a.crop_padding,
                 to_string(input));
  if (a.cutout < 0) return usage("a cutout of {} pixels makes no sense", a.cutout);
  if (a.rand_augment) LINNET_CHECK(check(*a.rand_augment));
  if (const auto& crop = a.resized_crop;
      crop && !(crop->smallest_area > 0 && crop->smallest_area <= crop->largest_area &&
                crop->largest_area <= 1 && crop->widest >= 1))
    return usage("a crop of {} to {} of the picture, up to {} times as wide as high, makes no sense",
                 crop->smallest_area, crop->largest_area, crop->widest);
  return Augmenter(a, preprocessing, input);
}

Augmenter::Augmenter(const Augmentation& augmentation, const Preprocessing& preprocessing, Shape input)
    : augmentation_(augmentation),
      filter_(preprocessing.filter),
      input_(input),
      values_(image::pixel_values(preprocessing)) {}

void Augmenter::operator()(const image::Image& picture, Random random, std::span<float> output) const {
  image::Image shown;
  if (augmentation_.resized_crop) {
    const CropPart part = draw_part(*augmentation_.resized_crop, picture.height, picture.width, random);
    shown = image::resize(picture, {picture.height, picture.width}, {part.y, part.x, part.height, part.width},
                          Filter::kNearest);  // cuts it out
    shown = image::resize(shown, input_.h, input_.w, filter_);
  } else {
    shown = image::resize(picture, input_.h, input_.w, filter_);
  }
  if (augmentation_.rand_augment) shown = rand_augment(std::move(shown), *augmentation_.rand_augment, random);
  if (input_.c == 1) shown = image::to_luma(shown);
  const Placement placement = draw_placement(augmentation_, input_, random);
  const Pixels pixels{shown.pixels.data(), static_cast<std::ptrdiff_t>(shown.stride()), shown.channels, 1};
  if (input_.c == 1)
    place<1>(pixels, placement, augmentation_.border, values_, input_, output.data());
  else
    place<3>(pixels, placement, augmentation_.border, values_, input_, output.data());
  cut_out(placement, input_, output.data());
}

void Augmenter::operator()(std::span<const std::byte> planes, Random random, std::span<float> output) const {
  if (augmentation_.resized_crop || augmentation_.rand_augment ||
      input_ != Shape{cifar10::kSide, cifar10::kSide, 3})
    return (*this)(picture_of_planes(planes), random, output);
  const Placement placement = draw_placement(augmentation_, input_, random);
  const auto* first = reinterpret_cast<const std::uint8_t*>(planes.data());
  place<3>({first, cifar10::kSide, 1, cifar10::kPlane}, placement, augmentation_.border, values_, input_,
           output.data());
  cut_out(placement, input_, output.data());
}

int Augmenter::useful_edge() const {
  // A crop of a quarter of the area fills the input from half of each edge.
  return (augmentation_.resized_crop ? 2 : 1) * std::max(input_.h, input_.w);
}

CropPart draw_part(const ResizedCrop& crop, int height, int width, Random& random) {
  const auto uniform = [&](double low, double high) { return low + (high - low) * random.unit(); };
  const double area = static_cast<double>(height) * width;
  const auto anywhere = [&](int room) {
    return static_cast<int>(random.below(static_cast<std::uint64_t>(room) + 1));
  };
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double part = area * uniform(crop.smallest_area, crop.largest_area);
    const double aspect = std::exp(uniform(-std::log(crop.widest), std::log(crop.widest)));
    const int w = static_cast<int>(std::lround(std::sqrt(part * aspect)));
    const int h = static_cast<int>(std::lround(std::sqrt(part / aspect)));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const int y = anywhere(height - h);
    return {y, anywhere(width - w), h, w};
  }
  // Too narrow for such parts: the middle, as much of it as the proportions allow.
  const double aspect = static_cast<double>(width) / height;
  int h = height, w = width;
  if (aspect < 1.0 / crop.widest) h = static_cast<int>(std::lround(width * crop.widest));
  if (aspect > crop.widest) w = static_cast<int>(std::lround(height * crop.widest));
  h = std::clamp(h, 1, height);
  w = std::clamp(w, 1, width);
  return {(height - h) / 2, (width - w) / 2, h, w};
}

}  // namespace linnet::data
