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

std::vector<float> logits(const Graph& graph, const std::filesystem::path& picture) {
  const Shape& input = graph.input_shape();
  std::vector<float> values(static_cast<std::size_t>(input.size()));
  const auto decoded = image::read_image(picture);
  EXPECT_TRUE(decoded) << decoded.error().message;
  EXPECT_TRUE(image::preprocess(*decoded, *graph.preprocessing, input, values));
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
  auto read = formats::read_tflite(tflite_file);
  ASSERT_TRUE(read) << read.error().message;
  const auto other = formats::read_huggingface(folder);
  ASSERT_TRUE(other) << other.error().message;

  const Graph a = canonical(*read), b = canonical(*other);
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

  read->preprocessing = other->preprocessing;
  // The same weights in the same order: the same bits, not only nearly so.
  EXPECT_EQ(logits(*read, photograph), logits(*other, photograph));
}

TEST(tflite, visual_wake_words_tells_people_from_animals_and_things) {
  LINNET_DATA_OR_SKIP(file, "models/tflite/vww_96_float.tflite");
  LINNET_DATA_OR_SKIP(photographs, "photos/misc");
  LINNET_DATA_OR_SKIP(grey, "vww");
  auto graph = formats::read_tflite(file);
  ASSERT_TRUE(graph) << graph.error().message;
  // MLPerf Tiny trains it on RGB pixels scaled to [0, 1] (and the int8 file of the same model says so by its
  // input's scale of 1/255). Its outputs are "no person" and "person".
  graph->preprocessing.emplace();
  graph->preprocessing->resize_to_input = true;
  const auto person = [&](const std::filesystem::path& picture) {
    const std::vector<float> scores = logits(*graph, picture);
    return scores[1] - scores[0];
  };
  EXPECT_GT(person(photographs / "coral_grace_hopper.bmp"), 1);
  for (const char* name :
       {"coral_cat.bmp", "coral_dragonfly.bmp", "coral_owl.jpg", "coral_parrot.jpg", "coral_sunflower.bmp"})
    EXPECT_LT(person(photographs / name), -1) << name;
  // On grey pictures, which it has not seen in training, it stays below its threshold but ranks the two
  // rightly.
  EXPECT_GT(person(grey / "person.bmp"), person(grey / "no_person.bmp"));
}

}  // namespace
}  // namespace linnet
