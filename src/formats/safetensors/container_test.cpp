// The safetensors container: what it promises is checked before anything is used.
#include "formats/safetensors/container.h"

#include <cstring>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/metadata/json.h"
#include "formats/safetensors/linnet_form.h"
#include "formats/safetensors/safetensors.h"
#include "support/data.h"

namespace linnet::formats {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::HasSubstr;

std::string file_of(std::string header, std::size_t data_bytes) {
  const std::uint64_t size = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &size, 8);
  return file + header + std::string(data_bytes, '\1');
}

Result<SafetensorsFile> parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), nullptr, "w.safetensors");
}

std::string complaint(const std::string& file) {
  const auto parsed = parse(file);
  return parsed ? "no complaint" : parsed.error().message;
}
std::string complaint(const std::string& header, std::size_t data_bytes) {
  return complaint(file_of(header, data_bytes));
}

std::string corpus(const char* name) {
  return read_text(linnet::testing::repository_data(std::string("corpus/fuzz_safetensors/") + name)).value();
}

TEST(safetensors, tensors_are_views_into_the_file) {
  const std::string file = file_of(R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},)"
                                   R"("a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},)"
                                   R"("__metadata__":{"format":"pt"}})",
                                   12);
  const auto parsed = parse(file);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->metadata.at("format"), "pt");
  const Tensor& b = parsed->tensors.at("b");
  EXPECT_EQ(describe(b), "F32 [2]");
  EXPECT_EQ(static_cast<const void*>(b.bytes.data()), file.data() + file.size() - 8);
  EXPECT_EQ(describe(parsed->tensors.at("a")), "F16 [1, 2]");
}

TEST(safetensors, a_header_that_lies_about_its_length_is_refused) {
  std::string file = file_of("{}", 0);
  EXPECT_EQ(complaint(file), "no complaint");
  file[0] = 3;
  EXPECT_THAT(complaint(file),
              HasSubstr("w.safetensors: truncated: the header is 3 bytes, but only 2 follow"));
  std::memset(file.data(), 0xff, 8);
  EXPECT_THAT(complaint(file), HasSubstr("header would be 18446744073709551615 bytes"));
  EXPECT_THAT(complaint("abc"), HasSubstr("3 bytes are too few"));
  EXPECT_THAT(complaint(std::string()), HasSubstr("0 bytes are too few"));
}

TEST(safetensors, a_header_that_is_no_object_is_refused) {
  EXPECT_THAT(complaint("[]", 0), HasSubstr("does not begin with \"{\""));
  EXPECT_THAT(complaint("{", 0), HasSubstr("not legal JSON"));
  EXPECT_THAT(complaint("{}x", 0), HasSubstr("not legal JSON"));
  EXPECT_THAT(complaint("{\"\xff\":1}", 0), HasSubstr("not legal JSON"));
  EXPECT_THAT(complaint(R"({"a":1})", 0), HasSubstr("tensor \"a\": is 1, expected an object"));
}

TEST(safetensors, a_header_nested_without_end_and_a_tensor_twice_are_refused) {
  EXPECT_THAT(complaint("{\"a\":" + std::string(1'000'000, '['), 0), HasSubstr("nested more than 16 deep"));
  EXPECT_THAT(complaint(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{}})", 0),
              HasSubstr("the key \"a\" stands twice"));
}

TEST(safetensors, a_tensor_that_makes_no_sense_is_refused_by_name) {
  const auto tensor = [](std::string_view dtype, std::string_view shape, std::string_view offsets) {
    return complaint(
        fmt::format(R"({{"w":{{"dtype":{},"shape":{},"data_offsets":{}}}}})", dtype, shape, offsets), 16);
  };
  EXPECT_EQ(tensor("\"F32\"", "[2,2]", "[0,16]"), "no complaint");
  EXPECT_THAT(tensor("\"F33\"", "[2,2]", "[0,16]"), HasSubstr("tensor \"w\": dtype is \"F33\""));
  EXPECT_THAT(tensor("32", "[2,2]", "[0,16]"), HasSubstr("dtype is 32"));
  EXPECT_THAT(tensor("\"F32\"", "[2,-2]", "[0,16]"), HasSubstr("shape is [2,-2], expected whole numbers"));
  EXPECT_THAT(tensor("\"F32\"", "[2.0,2]", "[0,16]"), HasSubstr("expected whole numbers"));
  EXPECT_THAT(tensor("\"F32\"", "4", "[0,16]"), HasSubstr("expected at most 8 dimensions"));
  EXPECT_THAT(tensor("\"F32\"", "[1,1,1,1,1,1,1,2,2]", "[0,16]"), HasSubstr("expected at most 8 dimensions"));
  EXPECT_THAT(tensor("\"F32\"", "[2,3]", "[0,16]"), HasSubstr("F32 [2, 3] does not fill its 16 bytes"));
  EXPECT_THAT(tensor("\"F32\"", "[4294967296,4294967296,4294967296]", "[0,16]"), HasSubstr("does not fill"));
  EXPECT_THAT(tensor("\"F32\"", "[9007199254740993]", "[0,16]"), HasSubstr("expected whole numbers"));
  EXPECT_THAT(tensor("\"F32\"", "[2,2]", "[0,17]"), HasSubstr("within the 16 bytes of data"));
  EXPECT_THAT(tensor("\"F32\"", "[2,2]", "[16,0]"), HasSubstr("data_offsets is [16,0]"));
  EXPECT_THAT(tensor("\"F32\"", "[2,2]", "[-1,15]"), HasSubstr("data_offsets is [-1,15]"));
  EXPECT_THAT(tensor("\"F32\"", "[2,2]", "[0]"), HasSubstr("data_offsets is [0]"));
  EXPECT_THAT(tensor("\"F32\"", "[1,2]", "[0,8]"), HasSubstr("8 bytes of data belong to no tensor"));
  EXPECT_THAT(tensor("\"F32\"", "[1,2]", "[8,16]"),
              HasSubstr("tensor \"w\" begins at byte 8 of the data, after"));
}

TEST(safetensors, tensors_that_overlap_are_refused) {
  EXPECT_THAT(
      complaint(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                R"("b":{"dtype":"U8","shape":[3],"data_offsets":[2,5]}})",
                5),
      HasSubstr("tensor \"b\" begins at byte 2 of the data, before the end of the one before it (4)"));
}

TEST(safetensors, metadata_must_be_strings) {
  EXPECT_THAT(complaint(R"({"__metadata__":{"a":1}})", 0), HasSubstr("\"a\" is 1, expected a string"));
  EXPECT_THAT(complaint(R"({"__metadata__":7})", 0), HasSubstr("expected an object"));
}

TEST(safetensors, a_file_cut_at_any_byte_is_refused) {
  for (const auto& [name, step] :
       {std::pair("linnet_form", 1), std::pair("linnet_form_int8", 1), std::pair("huggingface_v1", 61)}) {
    const std::string whole = corpus(name);
    ASSERT_EQ(complaint(whole), "no complaint");
    for (std::size_t size = 0; size < whole.size(); size += static_cast<std::size_t>(step))
      ASSERT_THAT(complaint(whole.substr(0, size)), HasSubstr("w.safetensors: "))
          << name << " cut at " << size;
    ASSERT_NE(complaint(whole.substr(0, whole.size() - 1)), "no complaint");
  }
}

TEST(safetensors, a_damaged_byte_gives_a_legal_graph_or_a_complaint) {
  for (const char* name : {"linnet_form", "linnet_form_int8"}) {
    const std::string whole = corpus(name);
    for (std::size_t i = 0; i < whole.size(); ++i)
      for (const char damage : {'\x01', '\x10', '\x80'}) {
        std::string file = whole;
        file[i] = static_cast<char>(file[i] ^ damage);
        const auto parsed = parse(file);
        if (!parsed || !is_linnet_form(*parsed)) continue;
        const auto graph = graph_from_linnet_form(*parsed, "damaged");
        EXPECT_TRUE(!graph || validate(*graph)) << name << ", byte " << i;
      }
  }
}

// ---- files of our own, written by Python alone

TEST(safetensors, reads_a_linnet_file_that_linnet_did_not_write) {
  const ScratchFolder folder;
  const auto path = folder.path() / "tiny.safetensors";
  ASSERT_TRUE(write_file(path, corpus("linnet_form")));
  const auto graph = read_safetensors(path);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->size(), 13);
  EXPECT_EQ(graph->labels, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(graph->dialect, Dialect::kTimm);
  EXPECT_EQ(graph->preprocessing->rescale, 1.0 / 256);
  EXPECT_EQ(std::get<Convolution>((*graph)[2].op).window, (Window{2, 2, 2, 1, {0, 0, 1, 0}}));
}

TEST(safetensors, reads_an_int8_linnet_file_that_linnet_did_not_write) {
  const ScratchFolder folder;
  const auto path = folder.path() / "tiny8.safetensors";
  ASSERT_TRUE(write_file(path, corpus("linnet_form_int8")));
  const auto graph = read_safetensors(path);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(is_int8(*graph));
  EXPECT_EQ((*graph)[0].quantization, (Quantization{0.02f, -1}));
  const auto& dw = std::get<Depthwise>((*graph)[2].op);
  EXPECT_EQ(dw.weight_zero_point, 7);
  EXPECT_EQ(dw.weight.values<std::int8_t>()[1], 37 - 127);
  EXPECT_EQ(std::get<Convolution>((*graph)[1].op).bias.values<std::int32_t>()[1], 500);
}

TEST(safetensors, halves_and_doubles_become_float32_in_linnets_order) {
  const ScratchFolder folder;
  const auto path = folder.path() / "v1.safetensors";
  ASSERT_TRUE(write_file(path, corpus("huggingface_v1")));
  const auto graph = read_safetensors(path);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->output_shape(), (Shape{1, 1, 5}));
  const auto value = [](int i) {
    return static_cast<float>((i * 37) % 64 - 32) / 64.0f;
  };  // as the generator has it
  // [K, C, R, S] became [K, R, S, C]: k = 1, r = 2, s = 0, c = 1.
  const auto& stem = std::get<Convolution>((*graph)[1].op).weight;
  EXPECT_EQ(stem.dims(), (std::vector<int>{8, 3, 3, 3}));
  EXPECT_EQ(stem.values()[((1 * 3 + 2) * 3 + 0) * 3 + 1], value(((1 * 3 + 1) * 3 + 2) * 3 + 0));
  // [C, 1, R, S] became [R, S, C]: c = 5, r = 1, s = 2.
  const auto& depthwise = std::get<Depthwise>((*graph)[4].op).weight;
  EXPECT_EQ(depthwise.dims(), (std::vector<int>{3, 3, 8}));
  EXPECT_EQ(depthwise.values()[(1 * 3 + 2) * 8 + 5], value(5 * 9 + 1 * 3 + 2));
}

// ---- writing

TEST(safetensors, what_is_written_twice_is_refused) {
  const ScratchFolder folder;
  const NamedConstant one{"w", Constant({1}, {1.0f})};
  const std::vector<NamedConstant> twice = {one, one};
  EXPECT_THAT(write_safetensors_file(twice, {}, folder.path() / "x").error().message,
              HasSubstr("\"w\" stands twice"));
}

}  // namespace
}  // namespace linnet::formats
