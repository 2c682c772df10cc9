#include <algorithm>
#include <mutex>

#include <linnet/linnet.h>

#include "api/classifier.h"
#include "api/model_factory.h"
#include "formats/safetensors/safetensors.h"
#include "graph/statistics.h"
#include "image/image.h"

namespace linnet {
namespace {

/// Pictures that run in one go: enough to keep the cores busy, few enough to bound the memory.
constexpr std::size_t kBatch = 16;

Result<Graph> read_safetensors_only(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return formats::read_huggingface(path);
  const std::string extension = path.extension().string();
  for (const char* other : {"onnx", "tflite", "pth"})
    if (extension == "." + std::string(other))
      return fail("{}: is not safetensors; load it with linnet::load_{}() of <linnet/{}.h>", path.string(),
                  other, other);
  return formats::read_safetensors(path);
}

Result<image::Image> to_image(const Pixels& pixels) {
  const auto expected = std::int64_t{pixels.height} * pixels.width * 3;
  if (pixels.height < 1 || pixels.width < 1 || std::ssize(pixels.rgb) != expected)
    return usage("a picture of {} x {} pixels has {} values of red, green and blue, not {}", pixels.height,
                 pixels.width, expected, pixels.rgb.size());
  return image::Image{pixels.height, pixels.width, {pixels.rgb.begin(), pixels.rgb.end()}};
}

}  // namespace

struct Model::Parts {
  Classifier classifier;
  ModelInfo info;
  std::vector<std::string> notices;
  std::mutex one_at_a_time;

  Parts(Classifier c, std::vector<std::string> n) : classifier(std::move(c)), notices(std::move(n)) {
    const Graph& graph = classifier.graph();
    const Totals sum = totals(graph);
    info = {
        graph.name, graph.input_shape().h, graph.input_shape().w, graph.input_shape().c, classifier.classes(),
        sum.macs,   sum.parameters};
  }
  Result<Classification> classify(Result<image::Image> picture, Stopwatch& watch, int top) {
    if (!picture) return std::unexpected(std::move(picture).error());
    if (top < 1) return usage("top is {}; ask for at least one prediction", top);
    const double decode = watch.lap();
    const std::lock_guard lock(one_at_a_time);
    LINNET_TRY(Classification result, classifier.classify(*picture, top));
    result.timings.decode = decode;
    return result;
  }
};

Result<Model> ModelFactory::load(const ModelSource& source, const ModelReader& reader,
                                 const LoadOptions& options) {
  LINNET_TRY(Graph graph, read_model_source(source, reader));
  PictureOverrides overrides;
  if (!options.labels.empty()) overrides.labels = options.labels;
  std::vector<std::string> notices;
  LINNET_TRY(graph, settle_for_pictures(std::move(graph), overrides, notices));
  LINNET_TRY(Classifier classifier, Classifier::make(std::move(graph), Backend::kCpu, options.threads));
  return Model(std::make_unique<Model::Parts>(std::move(classifier), std::move(notices)));
}

Result<Model> Model::load(const std::string& model, const LoadOptions& options) {
  LINNET_TRY(const ModelSource source, find_model(model));
  return ModelFactory::load(source, read_safetensors_only, options);
}

Model::Model(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Result<Classification> Model::classify(const std::string& path, int top) {
  Stopwatch watch;
  return parts_->classify(image::read_image(path), watch, top);
}

Result<Classification> Model::classify(std::span<const std::byte> file, int top) {
  Stopwatch watch;
  return parts_->classify(image::decode(file, "picture"), watch, top);
}

Result<Classification> Model::classify(Pixels pixels, int top) {
  Stopwatch watch;
  return parts_->classify(to_image(pixels), watch, top);
}

Result<std::vector<Classification>> Model::classify_batch(std::span<const Pixels> pictures, int top) {
  if (top < 1) return usage("top is {}; ask for at least one prediction", top);
  const std::lock_guard lock(parts_->one_at_a_time);
  Classifier& classifier = parts_->classifier;
  const auto classes = static_cast<std::size_t>(classifier.classes());
  std::vector<Classification> results;
  for (std::size_t first = 0; first < pictures.size(); first += kBatch) {
    const auto batch = pictures.subspan(first, std::min(kBatch, pictures.size() - first));
    AlignedVector<float> inputs;
    Stopwatch watch;
    for (const Pixels& pixels : batch) {
      LINNET_TRY(const image::Image picture, to_image(pixels));
      LINNET_TRY(const AlignedVector<float> input, classifier.prepare(picture));
      inputs.insert(inputs.end(), input.begin(), input.end());
      results.emplace_back().timings.preprocess = watch.lap();
    }
    LINNET_TRY(const AlignedVector<float> logits, classifier.logits(static_cast<int>(batch.size()), inputs));
    const double each = watch.lap() / static_cast<double>(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Classification& result = results[first + i];
      result.timings.inference = each;
      LINNET_TRY(result.predictions,
                 predictions(std::span(logits).subspan(i * classes, classes), labels(), top));
    }
  }
  return results;
}

const ModelInfo& Model::info() const { return parts_->info; }
const std::vector<std::string>& Model::labels() const { return parts_->classifier.graph().labels; }
const std::vector<std::string>& Model::notices() const { return parts_->notices; }

}  // namespace linnet
