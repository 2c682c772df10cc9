#include "formats/onnx/tensor.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/onnx/model_checks.h"
#include "support/data.h"

namespace linnet::formats::onnx {
namespace {

using onnx_schema::TensorProto;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TensorProto empty(TensorProto::DataType type, const Ints& dims) {
  TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(type);
  for (const auto d : dims) tensor.add_dims(d);
  return tensor;
}

template <class T>
TensorProto raw(TensorProto::DataType type, const std::vector<T>& values) {
  TensorProto tensor = empty(type, {static_cast<std::int64_t>(values.size())});
  tensor.set_raw_data(values.data(), values.size() * sizeof(T));
  return tensor;
}

Floats floats_of(const TensorProto& proto) {
  const auto tensor = decode(proto, {});
  EXPECT_TRUE(tensor) << (tensor ? "" : tensor.error().message);
  if (!tensor || !tensor->is_float()) return {};
  return {tensor->floats().begin(), tensor->floats().end()};
}

Ints ints_of(const TensorProto& proto) {
  const auto tensor = decode(proto, {});
  EXPECT_TRUE(tensor) << (tensor ? "" : tensor.error().message);
  if (!tensor || tensor->is_float()) return {};
  return {tensor->ints().begin(), tensor->ints().end()};
}

std::string complaint(const TensorProto& proto, const std::filesystem::path& folder = {}) {
  const auto tensor = decode(proto, folder);
  return tensor ? "" : tensor.error().message;
}

TEST(onnx_tensor, every_kind_of_number_may_be_raw_or_in_its_field) {
  EXPECT_THAT(floats_of(raw<float>(TensorProto::FLOAT, {1.5f, -2})), ElementsAre(1.5f, -2));
  EXPECT_THAT(floats_of(raw<double>(TensorProto::DOUBLE, {1.5, -2})), ElementsAre(1.5f, -2));
  EXPECT_THAT(floats_of(raw<std::uint16_t>(TensorProto::FLOAT16, {0x3e00, 0xc000})), ElementsAre(1.5f, -2));
  EXPECT_THAT(floats_of(raw<std::uint16_t>(TensorProto::BFLOAT16, {0x3fc0, 0xc000})), ElementsAre(1.5f, -2));
  EXPECT_THAT(ints_of(raw<std::int64_t>(TensorProto::INT64, {-1, std::int64_t{1} << 40})),
              ElementsAre(-1, std::int64_t{1} << 40));
  EXPECT_THAT(ints_of(raw<std::int32_t>(TensorProto::INT32, {-1, 7})), ElementsAre(-1, 7));
  EXPECT_THAT(ints_of(raw<std::uint8_t>(TensorProto::BOOL, {0, 2})), ElementsAre(0, 1));

  TensorProto tensor = empty(TensorProto::FLOAT, {2});
  tensor.add_float_data(1.5f);
  tensor.add_float_data(-2);
  EXPECT_THAT(floats_of(tensor), ElementsAre(1.5f, -2));
  tensor = empty(TensorProto::FLOAT16, {2});
  tensor.add_int32_data(0x3e00);
  tensor.add_int32_data(0xc000);
  EXPECT_THAT(floats_of(tensor), ElementsAre(1.5f, -2));
  tensor = empty(TensorProto::DOUBLE, {1});
  tensor.add_double_data(0.25);
  EXPECT_THAT(floats_of(tensor), ElementsAre(0.25f));
  tensor = empty(TensorProto::INT64, {1});
  tensor.add_int64_data(-5);
  EXPECT_THAT(ints_of(tensor), ElementsAre(-5));
  tensor = empty(TensorProto::INT32, {1});
  tensor.add_int32_data(-5);
  EXPECT_THAT(ints_of(tensor), ElementsAre(-5));
  EXPECT_THAT(ints_of(empty(TensorProto::INT64, {0})), ElementsAre());
}

TEST(onnx_tensor, sizes_that_do_not_match_are_refused) {
  TensorProto tensor = raw<float>(TensorProto::FLOAT, {1, 2, 3});
  tensor.set_dims(0, 4);
  EXPECT_THAT(complaint(tensor),
              HasSubstr("constant \"w\": 12 bytes where its dimensions say 4 values of 4 bytes"));
  tensor.set_dims(0, std::int64_t{1} << 62);
  EXPECT_THAT(complaint(tensor), HasSubstr("dimensions [4611686018427387904] are not a size"));
  tensor.set_dims(0, -3);
  EXPECT_THAT(complaint(tensor), HasSubstr("dimensions [-3] are not a size"));
  tensor.set_dims(0, std::int64_t{1} << 32);
  tensor.add_dims(std::int64_t{1} << 32);
  EXPECT_THAT(complaint(tensor), HasSubstr("are not a size"));
  EXPECT_THAT(complaint(empty(TensorProto::FLOAT, {3})), HasSubstr("0 values where its dimensions say 3"));
}

TEST(onnx_tensor, bytes_are_integers_that_remember_their_sign) {
  const auto s = decode(raw<std::int8_t>(TensorProto::INT8, {-128, 127}), {});
  ASSERT_TRUE(s) << s.error().message;
  EXPECT_THAT(s->ints(), ElementsAre(-128, 127));
  EXPECT_EQ(s->integer_kind(), IntegerKind::kInt8);
  const auto u = decode(raw<std::uint8_t>(TensorProto::UINT8, {0, 255}), {});
  ASSERT_TRUE(u) << u.error().message;
  EXPECT_THAT(u->ints(), ElementsAre(0, 255));
  EXPECT_EQ(u->integer_kind(), IntegerKind::kUint8);
  EXPECT_EQ(u->reshaped({2, 1}).integer_kind(), IntegerKind::kUint8);
}

TEST(onnx_tensor, scales_of_an_axis_survive_a_reshape_that_keeps_the_axis) {
  const Tensor integers({2, 3}, std::vector<std::int64_t>(6, 1));
  const Tensor x = Tensor({2, 3}, std::vector<float>(6, 1)).made_from({integers, {1, 2, 3}, {0, 0, 0}, 1});
  ASSERT_TRUE(x.reshaped({1, 2, 3}).quantized());
  EXPECT_EQ(x.reshaped({1, 2, 3}).quantized()->axis, 2u);
  EXPECT_EQ(x.reshaped({2, 1, 3}).quantized()->axis, 2u);
  EXPECT_FALSE(x.reshaped({3, 2}).quantized()) << "no axis has the three scales any more";
  EXPECT_FALSE(x.reshaped({6}).quantized());
}

TEST(onnx_tensor, kinds_that_no_model_of_linnets_has_are_refused) {
  EXPECT_THAT(complaint(raw<std::int16_t>(TensorProto::INT16, {1})), HasSubstr("quantize to 8 bits"));
  EXPECT_THAT(complaint(empty(TensorProto::STRING, {1})), HasSubstr("numbers of ONNX's type 8"));
}

/// A tensor of `count` floats at byte `offset` of `location`.
TensorProto external(const std::string& location, const std::string& offset, const std::string& length,
                     std::int64_t count) {
  TensorProto tensor = empty(TensorProto::FLOAT, {count});
  tensor.set_data_location(TensorProto::EXTERNAL);
  for (const auto& [key, value] :
       {std::pair("location", location), std::pair("offset", offset), std::pair("length", length)}) {
    if (value.empty()) continue;
    auto& entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  return tensor;
}

TEST(onnx_tensor, weights_may_lie_in_a_file_beside_the_model_and_nowhere_else) {
  const linnet::testing::ScratchFolder scratch;
  const auto folder = scratch.path() / "model";
  std::filesystem::create_directories(folder / "weights");
  const Floats values = {1, 2, 3, 4};
  const auto write = [&](const std::filesystem::path& path) {
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(values.data()), 16);
  };
  write(folder / "model.onnx.data");
  write(folder / "weights" / "w.bin");
  write(scratch.path() / "secret.bin");
  std::filesystem::create_symlink(scratch.path() / "secret.bin", folder / "link.bin");

  const auto tensor = decode(external("model.onnx.data", "4", "8", 2), folder);
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_THAT(tensor->floats(), ElementsAre(2, 3));
  EXPECT_EQ(complaint(external("weights/w.bin", "", "", 4), folder), "");
  EXPECT_EQ(complaint(external("weights/../model.onnx.data", "", "", 4), folder), "");

  const char* outside = "outside the model's folder";
  EXPECT_THAT(complaint(external("../secret.bin", "", "", 4), folder), HasSubstr(outside));
  EXPECT_THAT(complaint(external((scratch.path() / "secret.bin").string(), "", "", 4), folder),
              HasSubstr(outside));
  EXPECT_THAT(complaint(external("link.bin", "", "", 4), folder), HasSubstr(outside));
  EXPECT_THAT(complaint(external("absent.bin", "", "", 4), folder), HasSubstr("cannot open"));
  EXPECT_THAT(complaint(external("weights", "", "", 4), folder), HasSubstr("is a directory"));
  EXPECT_THAT(complaint(external("", "", "", 4), folder), HasSubstr("the file is not named"));
  EXPECT_THAT(complaint(external("model.onnx.data", "12", "8", 2), folder), HasSubstr("past the end"));
  EXPECT_THAT(complaint(external("model.onnx.data", "18446744073709551615", "8", 2), folder),
              HasSubstr("past the end"));
  EXPECT_THAT(complaint(external("model.onnx.data", "-4", "8", 2), folder),
              HasSubstr("offset \"-4\" is not a number"));
  EXPECT_THAT(complaint(external("model.onnx.data", "", "", 2), folder),
              HasSubstr("16 bytes where its dimensions say 2"));
  EXPECT_THAT(complaint(external("model.onnx.data", "", "", 4)), HasSubstr("read the model from its file"));
}

TEST(onnx_tensor, a_model_is_read_with_its_external_weights) {
  const linnet::testing::ScratchFolder folder;
  const Floats values = {1, 2};
  std::ofstream(folder.path() / "w.data", std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()), 8);
  ModelBuilder m(13, {1, 2, 1, 1});
  TensorProto weight = external("w.data", "0", "8", 1);
  weight.add_dims(2);
  m.constant("w", weight);
  m.node("Flatten", {"x"}, "flat");
  m.node("Gemm", {"flat", "w"}, "y", {{"transB", 1}});
  std::ofstream(folder.path() / "m.onnx", std::ios::binary) << m.bytes("y");
  const auto graph = read_onnx(folder.path() / "m.onnx");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_THAT(run(*graph, {10, 1}), ElementsAre(12));
}

}  // namespace
}  // namespace linnet::formats::onnx
