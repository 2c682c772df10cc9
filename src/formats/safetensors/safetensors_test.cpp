// Hugging Face folders, bare state dicts, and real weights.
#include "formats/safetensors/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/data.h"

namespace linnet::formats {
namespace {

using linnet::testing::ScratchFolder;

// ---- real weights

TEST(huggingface, reads_mobilenet_v2_with_labels_and_preprocessing) {
  LINNET_DATA_OR_SKIP(folder, "models/huggingface/mobilenet_v2_1.0_224");
  const auto graph = read_huggingface(folder);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->input_shape(), (Shape{224, 224, 3}));
  EXPECT_EQ(graph->output_shape(), (Shape{1, 1, 1001}));
  ASSERT_EQ(graph->labels.size(), 1001u);
  EXPECT_EQ(graph->labels[13], "house finch, linnet, Carpodacus mexicanus");
  ASSERT_TRUE(graph->preprocessing);
  EXPECT_EQ(*graph->preprocessing, huggingface_preprocessing(224));
  EXPECT_EQ(graph->dialect, Dialect::kHuggingFace);
}

TEST(huggingface, reads_mobilenet_v1_from_the_folder_and_from_the_file_in_it) {
  for (const char* name : {"mobilenet_v1_0.75_224", "mobilenet_v1_0.25_224"}) {
    LINNET_DATA_OR_SKIP(folder, std::string("models/huggingface/") + name);
    const auto graph = read_huggingface(folder);
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ(graph->labels.size(), static_cast<std::size_t>(graph->output_shape().c));
    EXPECT_EQ(read_safetensors(folder / "model.safetensors").value(), *graph);
  }
}

TEST(huggingface, the_config_and_the_shapes_tell_the_same_network) {
  for (const char* name : {"mobilenet_v1_0.75_224", "mobilenet_v1_0.25_224", "mobilenet_v2_1.0_224"}) {
    LINNET_DATA_OR_SKIP(folder, std::string("models/huggingface/") + name);
    const ScratchFolder alone;  // the weights without their neighbours
    std::filesystem::create_symlink(std::filesystem::absolute(folder / "model.safetensors"),
                                    alone.path() / "model.safetensors");
    const auto bare = read_safetensors(alone.path() / "model.safetensors");
    ASSERT_TRUE(bare) << bare.error().message;
    Graph whole = read_huggingface(folder).value();
    EXPECT_TRUE(bare->labels.empty());
    EXPECT_FALSE(bare->preprocessing);
    whole.labels.clear();
    whole.preprocessing.reset();
    EXPECT_EQ(*bare, whole);
  }
}

}  // namespace
}  // namespace linnet::formats
