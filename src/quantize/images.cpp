#include "quantize/images.h"

#include "image/preprocess.h"

namespace linnet::quantize {

Result<std::vector<Image>> read_images(const Graph& graph, std::string_view folder, std::size_t limit,
                                       const std::function<void(std::size_t, std::size_t)>& progress) {
  LINNET_TRY(const data::Dataset dataset, data::open_dataset(folder, {}, 0, data::Part::kTrain));
  return read_images(graph, dataset, limit, progress);
}

Result<std::vector<Image>> read_images(const Graph& graph, const data::Dataset& dataset, std::size_t limit,
                                       const std::function<void(std::size_t, std::size_t)>& progress) {
  const std::size_t all = dataset.items.size();
  const std::size_t count = limit > 0 ? std::min(limit, all) : all;
  std::vector<Image> images;
  for (std::size_t i = 0; i < count; ++i) {
    LINNET_TRY(const image::Image picture, data::load(dataset.items[i * all / count]));
    Image& image = images.emplace_back(static_cast<std::size_t>(graph.input_shape().size()));
    LINNET_CHECK(image::preprocess(picture, *graph.preprocessing, graph.input_shape(), image));
    if (progress) progress(i + 1, count);
  }
  return images;
}

}  // namespace linnet::quantize
