#include "formats/any/read_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "formats/safetensors/safetensors.h"
#include "graph/families/family.h"
#include "support/data.h"

namespace linnet::formats {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

FileKind kind(const std::string& head, const std::string& name = "file", std::uint64_t size = 1 << 20) {
  return kind_of_file(std::as_bytes(std::span(head)), size, name);
}

TEST(read_model, contents_say_what_a_file_is) {
  EXPECT_EQ(kind("\x1c\0\0\0TFL3...."s), FileKind::kTflite);
  EXPECT_EQ(kind("PK\x03\x04rest"s), FileKind::kPth);
  EXPECT_EQ(kind("\x40\0\0\0\0\0\0\0{\"a\":"s), FileKind::kSafetensors);
  EXPECT_EQ(kind("\x08\x07\x12\x07pytorch"s), FileKind::kOnnx);
  EXPECT_EQ(kind("\x08\x06\x3a\x80\x01"s), FileKind::kOnnx);
  EXPECT_EQ(kind("\xff\xd8\xff\xe0"s), FileKind::kPicture);
  EXPECT_EQ(kind("\x89PNG\r\n\x1a\n"s), FileKind::kPicture);
  EXPECT_EQ(kind("RIFF\1\2\3\4WEBPVP8 "s), FileKind::kPicture);
  EXPECT_EQ(kind("BM\1\2\3\4\0\0\0\0\x36"s), FileKind::kPicture);
  EXPECT_EQ(kind("P6\n4 4\n"s), FileKind::kPicture);
  EXPECT_EQ(kind("\x89HDF\r\n\x1a\n"s), FileKind::kHdf5);
  EXPECT_EQ(kind("\x1f\x8b\x08"s), FileKind::kCompressed);
  EXPECT_EQ(kind("<!DOCTYPE html>"s), FileKind::kWebPage);
  EXPECT_EQ(kind("hello"s), FileKind::kUnknown);
  EXPECT_EQ(kind(""), FileKind::kUnknown);
}

TEST(read_model, contents_win_over_the_name_and_the_name_over_nothing) {
  EXPECT_EQ(kind("\x1c\0\0\0TFL3...."s, "model.onnx"), FileKind::kTflite);
  EXPECT_EQ(kind("garbage"s, "model.ONNX"), FileKind::kOnnx);
  EXPECT_EQ(kind("garbage"s, "model.tflite"), FileKind::kTflite);
  EXPECT_EQ(kind("\x80\x02\x8a\x0a"s, "model.pt"), FileKind::kPth);
  // A length beyond the file is no safetensors, unless it says so.
  EXPECT_EQ(kind("\xff\xff\xff\xff\0\0\0\0{"s, "x", 100), FileKind::kUnknown);
  EXPECT_EQ(kind("\xff\xff\xff\xff\0\0\0\0{"s, "x.safetensors", 100), FileKind::kSafetensors);
}

TEST(read_model, linnets_own_form_is_read_whatever_it_is_called) {
  const testing::ScratchFolder folder;
  const auto config = parse_family("mobilenet_v1:width=0.25,resolution=32,classes=3,seed=5");
  ASSERT_TRUE(config) << config.error().message;
  const Graph graph = build(*config).value();
  ASSERT_TRUE(write_safetensors(graph, folder.path() / "model.safetensors"));
  std::filesystem::rename(folder.path() / "model.safetensors", folder.path() / "model");
  const auto read = read_model(folder.path() / "model");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->nodes, graph.nodes);
}

TEST(read_model, what_is_no_model_is_called_by_its_name) {
  const testing::ScratchFolder folder;
  const auto refusal = [&](std::string_view contents) {
    EXPECT_TRUE(write_file(folder.path() / "file", contents));
    const auto graph = read_model(folder.path() / "file");
    EXPECT_FALSE(graph);
    return graph ? "" : graph.error().message;
  };
  EXPECT_THAT(refusal("\xff\xd8\xff\xe0"), HasSubstr("file: is a picture, not a model; a model is"));
  EXPECT_THAT(refusal("<html>"), HasSubstr("is a web page"));
  EXPECT_THAT(refusal("\x1f\x8b"), HasSubstr("unpack it first"));
  EXPECT_THAT(refusal(""), HasSubstr("is empty"));
  EXPECT_THAT(refusal("hello"), HasSubstr("is no model that Linnet knows"));
  EXPECT_THAT(read_model(folder.path()).error().message, HasSubstr("is a folder without a model"));
  EXPECT_THAT(read_model(folder.path() / "nothing").error().message,
              HasSubstr("nothing: cannot open: No such file"));
  ASSERT_TRUE(write_file(folder.path() / "saved_model.pb", "x"));
  EXPECT_THAT(read_model(folder.path()).error().message, HasSubstr("TFLiteConverter"));
}

TEST(read_model, every_real_file_goes_to_its_reader) {
  LINNET_DATA_OR_SKIP(models, "models");
  for (const char* name :
       {"huggingface/mobilenet_v1_0.25_224", "huggingface/mobilenet_v1_0.25_224/model.safetensors",
        "torchvision/mobilenet_v2.pth", "tflite/vww_96_float.tflite",
        "onnx/st_mobilenet_v2_0.35_128_tfs_channel_first.onnx"}) {
    const auto graph = read_model(models / name);
    EXPECT_TRUE(graph) << graph.error().message;
  }
}

}  // namespace
}  // namespace linnet::formats
