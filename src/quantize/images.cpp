#include "quantize/images.h"

#include "image/preprocess.h"

namespace linnet::quantize {

namespace {

Result<Image> read_image(const Graph& graph, const data::Item& item) {
  LINNET_TRY(const image::Image picture, data::load(item));
  Image image(static_cast<std::size_t>(graph.input_shape().size()));
  LINNET_CHECK(image::preprocess(picture, *graph.preprocessing, graph.input_shape(), image));
  return image;
}

/// Calls use(item, how many) for `limit` items, spread evenly; 0: for all.
template <class Use>
Result<void> for_each_item(const data::Dataset& dataset, std::size_t limit, Use use) {
  const std::size_t all = dataset.items.size();
  const std::size_t count = limit > 0 ? std::min(limit, all) : all;
  for (std::size_t i = 0; i < count; ++i) LINNET_CHECK(use(dataset.items[i * all / count], count));
  return {};
}

}  // namespace

Result<std::vector<Image>> read_images(const Graph& graph, std::string_view folder, std::size_t limit,
                                       const std::function<void(std::size_t, std::size_t)>& progress) {
  LINNET_TRY(const data::Dataset dataset, data::open_dataset(folder, {}, 0, data::Part::kTrain));
  std::vector<Image> images;
  LINNET_CHECK(for_each_item(dataset, limit, [&](const data::Item& item, std::size_t count) -> Result<void> {
    LINNET_TRY(images.emplace_back(), read_image(graph, item));
    if (progress) progress(images.size(), count);
    return {};
  }));
  return images;
}

Result<std::vector<Image>> read_images(const Graph& graph, const data::Dataset& dataset, std::size_t limit) {
  std::vector<Image> images;
  Result<void> last = fail("{}: has no pictures to calibrate with", dataset.name);
  LINNET_CHECK(for_each_item(dataset, limit, [&](const data::Item& item, std::size_t) -> Result<void> {
    Result<Image> image = read_image(graph, item);
    if (image)
      images.push_back(*std::move(image));
    else
      last = std::unexpected(image.error());
    return {};
  }));
  if (images.empty()) return std::unexpected(last.error());
  return images;
}

}  // namespace linnet::quantize
