#include "formats/pth/pth.h"

#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zip.h>

#include "base/file.h"
#include "support/data.h"

namespace linnet::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using std::string_literals::operator""s;

std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

/// A file of our corpus (tests/data/corpus/make_weights_files.py), without the byte that tells the fuzzer
/// what it is.
std::string corpus(const char* name) {
  return read_text(linnet::testing::repository_data(std::string("corpus/fuzz_pth/") + name))
      .value()
      .substr(1);
}

std::string complaint(const std::string& file) {
  const auto tensors = parse_pth_tensors(as_bytes(file), "model.pth");
  return tensors ? "no complaint" : tensors.error().message;
}

/// A zip archive of these entries, stored or deflated.
std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries, bool deflate = false) {
  zip_error_t error;
  zip_source_t* out = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(out);
  zip_t* archive = zip_open_from_source(out, ZIP_TRUNCATE, &error);
  for (const auto& [name, data] : entries) {
    const auto index = zip_file_add(
        archive, name.c_str(), zip_source_buffer(archive, data.data(), data.size(), 0), ZIP_FL_ENC_UTF_8);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index),
                             deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  EXPECT_EQ(zip_close(archive), 0);
  zip_stat_t stat;
  zip_source_open(out);
  zip_source_stat(out, &stat);
  std::string bytes(stat.size, '\0');
  zip_source_read(out, bytes.data(), bytes.size());
  zip_source_close(out);
  zip_source_free(out);
  return bytes;
}

// ---- what is read

TEST(pth, both_forms_give_the_same_tensors_whatever_their_strides) {
  for (const char* form : {"zip", "legacy"}) {
    SCOPED_TRACE(form);
    const std::string file = corpus(form);
    const auto tensors = parse_pth_tensors(as_bytes(file), "model.pth");
    ASSERT_TRUE(tensors) << tensors.error().message;
    ASSERT_EQ(tensors->size(), 4u);
    const auto values = [&](const char* name, std::vector<int> dims) {
      const Constant constant = to_constant(tensors->at(name), std::move(dims)).value();
      return std::vector<float>(constant.values().begin(), constant.values().end());
    };
    EXPECT_THAT(values("weight", {2, 3}),
                ElementsAre(-32 / 64., 5 / 64., -22 / 64., 15 / 64., -12 / 64., 25 / 64.));
    EXPECT_EQ(tensors->at("half").dims, (std::vector<std::int64_t>{3, 2}));
    EXPECT_THAT(values("half", {3, 2}),
                ElementsAre(5 / 64., 25 / 64., -22 / 64., -2 / 64., 15 / 64., -29 / 64.));
    EXPECT_THAT(values("shared", {4}), ElementsAre(-22 / 64., 15 / 64., -12 / 64., 25 / 64.));
    EXPECT_EQ(tensors->at("num_batches_tracked").dtype, Dtype::kI64);
    EXPECT_TRUE(tensors->at("num_batches_tracked").dims.empty());
  }
}

TEST(pth, reads_torchvisions_mobilenet_v2) {
  LINNET_DATA_OR_SKIP(path, "models/torchvision/mobilenet_v2.pth");
  const auto graph = read_pth(path);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->output_shape(), (Shape{1, 1, 1000}));
  EXPECT_EQ(graph->dialect, Dialect::kTorchvision);
  EXPECT_TRUE(graph->labels.empty());
  EXPECT_FALSE(graph->preprocessing);
}

// ---- what is refused

TEST(pth, a_file_cut_at_any_byte_is_refused) {
  for (const char* form : {"zip", "legacy"}) {
    const std::string whole = corpus(form);
    ASSERT_EQ(complaint(whole), "no complaint");
    for (std::size_t size = 0; size < whole.size(); ++size)
      ASSERT_THAT(complaint(whole.substr(0, size)), HasSubstr("model.pth: ")) << form << " cut at " << size;
  }
}

TEST(pth, a_damaged_byte_gives_tensors_or_a_complaint) {
  for (const char* form : {"zip", "legacy"}) {
    const std::string whole = corpus(form);
    for (std::size_t i = 0; i < whole.size(); ++i)
      for (const char damage : {'\x01', '\x40', '\xff'}) {
        std::string file = whole;
        file[i] = static_cast<char>(file[i] ^ damage);
        EXPECT_FALSE(complaint(file).empty());
      }
  }
}

TEST(pth, another_file_is_refused) {
  EXPECT_THAT(complaint(""), HasSubstr("not a file that torch.save() wrote"));
  EXPECT_THAT(complaint("hello"), HasSubstr("not a file that torch.save() wrote"));
  EXPECT_THAT(complaint(zip_of({{"a/code.py", "pass"}})), HasSubstr("without data.pkl"));
}

TEST(pth, a_compressed_archive_is_refused_before_it_is_unpacked) {
  const std::string bomb(64 << 20, '\0');
  const std::string file = zip_of({{"a/data.pkl", bomb}}, /*deflate=*/true);
  EXPECT_LT(file.size(), std::size_t{100'000});
  EXPECT_THAT(complaint(file), HasSubstr("compressed"));
}

/// A zip that holds this pickle and one storage "0" of six floats.
std::string with_pickle(const std::string& pickle, std::size_t storage_bytes = 24) {
  return zip_of({{"a/data.pkl", pickle}, {"a/data/0", std::string(storage_bytes, '\0')}});
}

/// The pickle {"w": tensor} with this storage type, key, count, offset, sizes and strides, as opcodes.
std::string tensor_pickle(const char* type, const char* key, const std::string& count,
                          const std::string& offset, const std::string& sizes, const std::string& strides) {
  const auto text = [](std::string_view s) {
    return fmt::format("\x8c{}{}", static_cast<char>(s.size()), s);
  };
  return "}" + text("w") + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\n" + type +
         "\n" + text(key) + text("cpu") + count + "tQ" + offset + "(" + sizes + "t(" + strides + "t\x89)tRs.";
}

TEST(pth, a_tensor_that_does_not_fit_its_storage_is_refused_by_name) {
  const auto refuse = [](const std::string& count, const std::string& offset, const std::string& sizes,
                         const std::string& strides) {
    return complaint(with_pickle(tensor_pickle("FloatStorage", "0", count, offset, sizes, strides)));
  };
  const std::string huge = "J\xff\xff\xff\x7f";
  EXPECT_EQ(refuse("K\x06", "K\x00"s, "K\x02K\x03", "K\x03K\x01"), "no complaint");
  EXPECT_THAT(refuse("K\x06", "K\x01", "K\x02K\x03", "K\x03K\x01"),
              HasSubstr("tensor \"w\" leaves its storage"));
  EXPECT_THAT(refuse("K\x06", "K\x00"s, "K\x02K\x03", "K\x04K\x01"),
              HasSubstr("tensor \"w\" leaves its storage"));
  EXPECT_THAT(refuse("K\x06", "K\x00"s, "K\x02K\x03", "K\x03" + huge),
              HasSubstr("tensor \"w\" leaves its storage"));
  EXPECT_THAT(refuse("K\x06", huge, "K\x01", "K\x01"), HasSubstr("tensor \"w\" leaves its storage"));
  EXPECT_THAT(refuse("K\x06", "K\x00"s, huge, "K\x00"s), HasSubstr("is larger than its storage"));
  EXPECT_THAT(refuse("K\x06", "K\x00"s, huge + huge + huge, "K\x00K\x00K\x00"s),
              HasSubstr("is larger than its storage"));
  EXPECT_THAT(refuse("K\x07", "K\x00"s, "K\x01", "K\x01"),
              HasSubstr("storage has 7 elements of F32, but there are 24"));
  EXPECT_THAT(refuse(huge, "K\x00"s, "K\x01", "K\x01"), HasSubstr("storage has 2147483647 elements"));
  EXPECT_THAT(refuse("K\x06", "J\xff\xff\xff\xff", "K\x01", "K\x01"),
              HasSubstr("no legal offset, size and stride"));
  EXPECT_THAT(refuse("K\x06", "K\x00"s, "J\xff\xff\xff\xff", "K\x01"),
              HasSubstr("no legal offset, size and stride"));
}

TEST(pth, a_missing_storage_is_refused_by_name) {
  const std::string pickle = tensor_pickle("FloatStorage", "9", "K\x06", "K\x00"s, "K\x06", "K\x01");
  EXPECT_THAT(complaint(with_pickle(pickle)),
              HasSubstr("tensor \"w\" has no data: the archive has no \"a/data/9\""));
}

TEST(pth, a_file_without_tensors_is_refused) {
  EXPECT_THAT(complaint(with_pickle("}.")), HasSubstr("holds no tensors"));
  EXPECT_THAT(complaint(with_pickle("].")), HasSubstr("no dictionary of tensors"));
}

TEST(pth, tensors_of_no_known_network_are_refused_with_their_names) {
  const linnet::testing::ScratchFolder folder;
  const auto path = folder.path() / "model.pth";
  ASSERT_TRUE(write_file(path, corpus("zip")));
  EXPECT_THAT(read_pth(path).error().message,
              HasSubstr("4 tensors (\"half\", \"num_batches_tracked\", \"shared\"…)"));
}

}  // namespace
}  // namespace linnet::formats
