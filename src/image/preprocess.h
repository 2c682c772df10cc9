// From a picture to a model's input, as the model's own Preprocessing says.
#pragma once

#include <array>
#include <span>

#include "base/result.h"
#include "base/shape.h"
#include "graph/preprocessing.h"
#include "image/image.h"

namespace linnet::image {

/// Fills `output` with input.size() floats, HWC, RGB; a model of one channel is given luma (to_luma) and uses
/// the first mean and deviation. `image` is RGB, as decode() gives it. Thread-safe.
///
/// In this order: central_fraction; resize; the centre crop to the input's size, missing pixels black; then
///   float(pixel * rescale), computed in double and rounded once, as Hugging Face;  - mean;  / deviation,
/// each in float32: the floats are those of Hugging Face, and for rescale = 1/255 those of torchvision too.
/// Pillow's resize is computed only for the pixels that the crop keeps.
///
/// Errors: `input` has neither one nor three channels; output.size() is not input.size(); a Preprocessing
/// that makes no sense (a fraction outside of (0, 1], an edge below 1, a deviation of zero, both kinds of
/// resize).
Result<void> preprocess(const Image& image, const Preprocessing& preprocessing, Shape input,
                        std::span<float> output);

/// What each of the 256 values of a pixel becomes, a channel: the last step of preprocess().
using PixelValues = std::array<std::array<float, 256>, 3>;
PixelValues pixel_values(const Preprocessing& preprocessing);

}  // namespace linnet::image
