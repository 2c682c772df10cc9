#include "calibration.h"

#include "print.h"
#include "quantize/images.h"

namespace linnet::cli {

Result<Material> calibration_material(Graph graph, const ModelOptions& options) {
  Material material{std::move(graph), {}, {}};
  if (options.calibration.empty()) {
    LINNET_TRY(const ModelSource source, options.model.empty() ? default_model() : find_model(options.model));
    if (!source.family)
      return usage(
          "{}: is float32; to choose its scales, int8 needs to see what its values are like. Name a folder "
          "of "
          "some hundred pictures like those it will see, once:\n"
          "  linnet quantize --model {} --calibration FOLDER -o {}.int8.safetensors",
          source.name, source.name, material.graph.name);
    material.images = quantize::noise_images(material.graph.input_shape(), source.family->seed);
    material.description = fmt::format("{} images of noise", material.images.size());
    note("An untrained network: calibrated on noise.");
    return material;
  }
  LINNET_TRY(const PictureOverrides overrides, picture_overrides(options));
  std::vector<std::string> notices;
  LINNET_TRY(material.graph, settle_for_pictures(std::move(material.graph), overrides, notices));
  for (const std::string& notice : notices) note(notice);
  ProgressBar bar("reading pictures", ProgressBar::Unit::kItems);
  LINNET_TRY(material.images,
             quantize::read_images(material.graph, options.calibration, options.calibration_limit,
                                   [&](std::size_t done, std::size_t total) { bar.update(done, total); }));
  material.description = fmt::format("{} pictures of {}", material.images.size(), options.calibration);
  return material;
}

void note_widened_grids(const Graph& int8) {
  for (const quantize::WidenedGrid& found : quantize::widened_grids(int8))
    note(fmt::format(
        "layer \"{}\": channel {} alone makes its int8 grid as coarse as it is, a step of {:.3g}, "
        "and the other channels are lost. Its weights dwarf theirs, or the batch norm behind it "
        "divides by next to nothing.",
        int8[found.layer].name, found.channel, int8[found.layer].quantization->scale));
}

Result<Graph> int8_form(Graph graph, const ModelOptions& options) {
  LINNET_TRY(const Material material, calibration_material(std::move(graph), options));
  quantize::Options usual;
  usual.threads = options.threads > 0 ? options.threads : default_threads();
  LINNET_TRY(quantize::Quantized quantized, quantize::to_int8(material.graph, material.images, usual));
  note_widened_grids(quantized.graph);
  return std::move(quantized.graph);
}

}  // namespace linnet::cli
