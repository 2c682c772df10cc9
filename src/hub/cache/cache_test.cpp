#include "hub/cache/cache.h"

#include <cstdlib>
#include <set>

#include <gtest/gtest.h>

#include "base/file.h"
#include "hub/cache/known_models.h"
#include "support/data.h"

namespace linnet::hub {
namespace {

using linnet::testing::ScratchFolder;

CachedModel write_model(const std::filesystem::path& cache, const std::string& name) {
  CachedModel model;
  model.name = name;
  model.folder = model_folder(cache, name);
  std::filesystem::create_directories(model.folder);
  EXPECT_TRUE(write_file(model.folder / "model.safetensors", "weights"));
  EXPECT_TRUE(write_file(model.folder / "config.json", "{}"));
  model.files = {{"model.safetensors", "http://there/model.safetensors", 7, "00", "SHA-256"},
                 {"config.json", "http://there/config.json", 2, "11", ""}};
  EXPECT_TRUE(write_record(model, Record::kPulled));
  return model;
}

TEST(cache, a_recorded_model_is_found_with_all_that_was_recorded) {
  const ScratchFolder cache;
  const CachedModel written = write_model(cache.path(), "net");
  const auto found = find_cached(cache.path(), "net");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "net");
  EXPECT_EQ(found->model_path(), written.folder);
  ASSERT_EQ(found->files.size(), 2u);
  EXPECT_EQ(found->files[0].sha256, "00");
  EXPECT_EQ(found->files[0].verified_by, "SHA-256");
}

TEST(cache, a_model_without_a_configuration_is_its_file_of_weights) {
  const ScratchFolder cache;
  CachedModel model = write_model(cache.path(), "net");
  model.files.pop_back();
  EXPECT_EQ(model.model_path(), model.folder / "model.safetensors");
}

TEST(cache, a_model_with_a_missing_or_cut_file_is_not_found) {
  const ScratchFolder cache;
  const CachedModel model = write_model(cache.path(), "net");
  ASSERT_TRUE(write_file(model.folder / "model.safetensors", "weig"));
  EXPECT_FALSE(find_cached(cache.path(), "net"));
  std::filesystem::remove(model.folder / "model.safetensors");
  EXPECT_FALSE(find_cached(cache.path(), "net"));
  EXPECT_TRUE(cached_models(cache.path()).empty());
}

TEST(cache, a_record_of_nonsense_or_with_a_path_that_leads_out_is_no_record) {
  const ScratchFolder cache;
  const CachedModel model = write_model(cache.path(), "net");
  for (const char* text : {"", "[]", "{", R"({"name":"net"})", R"({"name":"net","files":[]})",
                           R"({"name":"net","files":[{"name":"../net/config.json","bytes":2,"sha256":""}]})",
                           R"({"name":3,"files":[{"name":"config.json","bytes":2,"sha256":""}]})",
                           R"({"name":"net","files":[{"name":"config.json","bytes":"2","sha256":""}]})"}) {
    ASSERT_TRUE(write_file(model.folder / "pulled.json", text));
    EXPECT_FALSE(find_cached(cache.path(), "net")) << text;
  }
}

TEST(cache, models_are_listed_by_name_and_a_missing_cache_is_an_empty_one) {
  const ScratchFolder cache;
  EXPECT_TRUE(cached_models(cache.path() / "nowhere").empty());
  write_model(cache.path(), "b");
  write_model(cache.path(), "a");
  const auto models = cached_models(cache.path());
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0].name, "a");
  EXPECT_EQ(models[1].name, "b");
}

TEST(cache, the_folder_follows_the_environment) {
  ::setenv("HOME", "/h", 1);
  ::unsetenv("XDG_CACHE_HOME");
  ::unsetenv("LINNET_CACHE");
  EXPECT_EQ(cache_folder().value(), "/h/.cache/linnet");
  ::setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(cache_folder().value(), "/x/linnet");
  ::setenv("LINNET_CACHE", "/c", 1);
  EXPECT_EQ(cache_folder().value(), "/c");
  for (const char* name : {"HOME", "XDG_CACHE_HOME", "LINNET_CACHE"}) ::unsetenv(name);
  EXPECT_NE(cache_folder().error().message.find("set LINNET_CACHE"), std::string::npos);
}

TEST(known_models, names_are_unique_and_each_is_published_in_one_place) {
  std::set<std::string_view> names;
  for (const KnownModel& model : known_models()) {
    EXPECT_TRUE(names.insert(model.name).second) << model.name;
    EXPECT_NE(model.repository.empty(), model.url.empty()) << model.name;
    EXPECT_FALSE(model.family.empty()) << model.name;
    EXPECT_FALSE(model.licence.empty()) << model.name;
  }
}

TEST(known_models, a_model_is_found_by_its_name_and_by_its_repository) {
  const KnownModel* model = find_known("mobilenet_v2_1.0_224");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(find_known("google/mobilenet_v2_1.0_224"), model);
  EXPECT_EQ(find_known(""), nullptr);
  EXPECT_EQ(find_known("mobilenet"), nullptr);
}

}  // namespace
}  // namespace linnet::hub
