// TensorFlow Lite's files against other forms of the same weights, and on photographs.
#include <algorithm>

#include <gtest/gtest.h>

#include "formats/safetensors/safetensors.h"
#include "formats/tflite/reader.h"
#include "graph/passes/passes.h"
#include "image/image.h"
#include "image/preprocess.h"
#include "reference/interpreter.h"
#include "support/data.h"

namespace linnet {
namespace {

image::Image read(const std::filesystem::path& picture) {
  auto decoded = image::read_image(picture);
  EXPECT_TRUE(decoded) << decoded.error().message;
  return *std::move(decoded);
}

std::vector<float> logits(const Graph& graph, const image::Image& picture) {
  const Shape& input = graph.input_shape();
  std::vector<float> values(static_cast<std::size_t>(input.size()));
  EXPECT_TRUE(image::preprocess(picture, *graph.preprocessing, input, values));
  std::vector<float> scores(static_cast<std::size_t>(graph.output_shape().size()));
  EXPECT_TRUE(reference::Interpreter(canonical(graph)).run(1, values, scores));
  return scores;
}

/// The weights of a layer, as [K, …]: TensorFlow's classifier is a 1x1 convolution, Hugging Face's is linear.
const Constant* weight(const Op& op) {
  if (const auto* o = std::get_if<Convolution>(&op)) return &o->weight;
  if (const auto* o = std::get_if<Depthwise>(&op)) return &o->weight;
  if (const auto* o = std::get_if<Linear>(&op)) return &o->weight;
  return nullptr;
}
const Constant* bias(const Op& op) {
  if (const auto* o = std::get_if<Convolution>(&op)) return &o->bias;
  if (const auto* o = std::get_if<Depthwise>(&op)) return &o->bias;
  if (const auto* o = std::get_if<Linear>(&op)) return &o->bias;
  return nullptr;
}

TEST(tflite, mobilenet_v1_equals_the_hugging_face_form_of_the_same_weights) {
  LINNET_DATA_OR_SKIP(tflite_file, "models/tflite/mobilenet_v1_0.25_224_float32.tflite");
  LINNET_DATA_OR_SKIP(folder, "models/huggingface/mobilenet_v1_0.25_224");
  LINNET_DATA_OR_SKIP(photograph, "photos/misc/coral_parrot.jpg");
  auto graph = formats::read_tflite(tflite_file);
  ASSERT_TRUE(graph) << graph.error().message;
  const auto other = formats::read_huggingface(folder);
  ASSERT_TRUE(other) << other.error().message;

  const Graph a = canonical(*graph), b = canonical(*other);
  ASSERT_EQ(a.size(), b.size());
  for (NodeId id = 0; id < a.size(); ++id) {
    SCOPED_TRACE(a[id].name + " and " + b[id].name);
    EXPECT_EQ(a[id].shape, b[id].shape);
    EXPECT_EQ(a[id].inputs, b[id].inputs);
    for (const auto& part : {weight, bias}) {
      const Constant *ours = part(a[id].op), *theirs = part(b[id].op);
      ASSERT_EQ(ours == nullptr, theirs == nullptr);
      EXPECT_TRUE(!ours || std::ranges::equal(ours->values(), theirs->values())) << "weights differ";
    }
  }

  graph->preprocessing = other->preprocessing;
  // The same weights in the same order: the same bits, not only nearly so.
  EXPECT_EQ(logits(*graph, read(photograph)), logits(*other, read(photograph)));
}

/// Outputs "no person" and "person": how much the second leads.
double person(const Graph& graph, const image::Image& picture) {
  const std::vector<float> scores = logits(graph, picture);
  return double{scores[1]} - double{scores[0]};
}

/// person.bmp comes from TensorFlow Lite Micro, which stores what its model is fed: pixel - 128 as a signed
/// byte.
image::Image signed_bytes(image::Image picture) {
  for (std::uint8_t& value : picture.pixels) value ^= 0x80;
  return picture;
}

TEST(tflite, visual_wake_words_tells_people_from_animals_and_things) {
  LINNET_DATA_OR_SKIP(photographs, "photos/misc");
  LINNET_DATA_OR_SKIP(grey, "vww");
  for (const char* name : {"vww_96_float", "vww_96_int8"}) {
    SCOPED_TRACE(name);
    LINNET_DATA_OR_SKIP(file, std::string("models/tflite/") + name + ".tflite");
    auto graph = formats::read_tflite(file);
    ASSERT_TRUE(graph) << graph.error().message;
    // MLPerf Tiny trains it on RGB pixels scaled to [0, 1]; the int8 file says so by its input's scale of
    // 1/255.
    if (!is_int8(*graph)) {
      graph->preprocessing.emplace();
      graph->preprocessing->resize_to_input = true;
    }
    EXPECT_GT(person(*graph, read(photographs / "coral_grace_hopper.bmp")), 1);
    for (const char* other :
         {"coral_cat.bmp", "coral_dragonfly.bmp", "coral_owl.jpg", "coral_parrot.jpg", "coral_sunflower.bmp"})
      EXPECT_LT(person(*graph, read(photographs / other)), -1) << other;
    // Grey pictures, which it has not seen in training.
    EXPECT_GT(person(*graph, signed_bytes(read(grey / "person.bmp"))), 0);
    EXPECT_LT(person(*graph, read(grey / "no_person.bmp")), 0);
  }
}

}  // namespace
}  // namespace linnet
