// Linnet's public interface: load a MobileNet, label pictures.
//
//   #include <linnet/linnet.h>
//
//   // A Hugging Face folder, a .safetensors file, or a name that is in the cache.
//   auto model = linnet::Model::load("mobilenet_v2_1.0_224");
//   if (!model) return report(model.error().message);
//   auto result = model->classify("photo.jpg");
//   if (!result) return report(result.error().message);
//   for (const auto& p : result->predictions) std::cout << p.probability << " " << p.label << "\n";
//
// Standard library types alone, C++23. Nothing here prints, exits or throws (std::bad_alloc excepted): what
// can fail returns an Error whose message says what, where and what to do next.
//
// This header and its library read safetensors. Other formats are libraries of their own, so that a program
// links only those that it names: <linnet/onnx.h>, <linnet/tflite.h> and <linnet/pth.h>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <linnet/error.h>

namespace linnet {

struct Prediction {
  int index = 0;      ///< of the class, as the model counts them
  std::string label;  ///< the model's own; "class 17" where it has none
  float probability =
      0;  ///< in [0, 1]; over all classes but the background of a model that has one they sum to 1
};

/// Milliseconds of wall clock for one picture; in a batch, the inference is shared out evenly.
struct Timings {
  double decode = 0;      ///< from a file's bytes to pixels
  double preprocess = 0;  ///< resize, crop, normalise
  double inference = 0;
  double total() const { return decode + preprocess + inference; }
};

struct Classification {
  std::vector<Prediction> predictions;  ///< the most probable first
  Timings timings;
};

/// Pixels of 8 bits: red, green, blue, a row after the other, height * width * 3 values.
struct Pixels {
  int height = 0;
  int width = 0;
  std::span<const std::uint8_t> rgb;
};

struct LoadOptions {
  int threads = 0;     ///< that one inference may use; 0: as many as there are cores
  std::string labels;  ///< a text file with a label a line, instead of the model's own; empty: the model's
};

struct ModelInfo {
  std::string name;
  int height = 0;  ///< of the input, pixels
  int width = 0;
  int channels = 0;  ///< 3, or 1 for grey
  int classes = 0;
  std::int64_t macs = 0;        ///< multiply-accumulates for one picture
  std::int64_t parameters = 0;  ///< weights, biases, batch norm's scale and offset
};

/// A loaded model. Movable, not copyable; a moved-from Model may only be assigned to or destroyed.
/// Thread-safe: calls on one Model wait for each other. To run pictures in parallel, give them to
/// classify_batch() or load one Model a thread with `threads = 1`.
class Model {
 public:
  /// `model` is a Hugging Face folder, a .safetensors file, a name that `linnet models` lists as being in the
  /// cache, or an untrained family such as "mobilenet_v2:width=0.5,resolution=96". Errors: none of these; a
  /// file that cannot be read; labels of a wrong number; LINNET_ISA names instructions that this CPU lacks.
  static Result<Model> load(const std::string& model, const LoadOptions& options = {});

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  /// A JPEG, PNG, WebP, BMP or PNM file. `top` predictions, at least 1. Errors: the file cannot be read or
  /// decoded.
  Result<Classification> classify(const std::string& path, int top = 5);
  /// The bytes of such a file.
  Result<Classification> classify(std::span<const std::byte> file, int top = 5);
  /// Errors: the size is not that of `rgb`.
  Result<Classification> classify(Pixels pixels, int top = 5);
  /// Several pictures in one go, which is faster than one by one. The first error ends it.
  Result<std::vector<Classification>> classify_batch(std::span<const Pixels> pictures, int top = 5);

  const ModelInfo& info() const;
  /// One a class; empty where the model has none.
  const std::vector<std::string>& labels() const;
  /// What was assumed because the file does not say it, for a person to read.
  const std::vector<std::string>& notices() const;

 private:
  friend class ModelFactory;
  struct Parts;
  explicit Model(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace linnet
