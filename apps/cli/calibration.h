// What a float model is quantized with: pictures, or noise for a family that nobody has trained.
#pragma once

#include <string>
#include <vector>

#include "model_options.h"
#include "quantize/quantize.h"

namespace linnet::cli {

struct Material {
  Graph graph;  ///< its preprocessing settled, where there are pictures
  std::vector<quantize::Image> images;
  std::string description;  ///< "92 pictures of photos/"
};

/// `graph` is what options.model names; options.calibration the pictures. What was assumed is said on stderr.
/// Errors: a trained model without pictures (kUsage, with the `linnet quantize` command to run); those of
/// quantize::read_images().
Result<Material> calibration_material(Graph graph, const ModelOptions& options);

/// Says on stderr which layers lost their values to one channel (quantize::widened_grids()).
void note_widened_grids(const Graph& int8);

/// The int8 form of a float graph, by the options that are usual.
Result<Graph> int8_form(Graph graph, const ModelOptions& options);

}  // namespace linnet::cli
