#include "hub/pull/pull.h"

#include <cstdlib>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "hub/pull/digest.h"
#include "hub/pull/test_server.h"
#include "support/data.h"

namespace linnet::hub {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kName = "mobilenet_v2_1.0_224";
const std::string kRoot = "/google/mobilenet_v2_1.0_224/resolve/";

class pull_test : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("LINNET_CACHE", cache.path().c_str(), 1);
    ::setenv("LINNET_HUB_URL", server.url("/").c_str(), 1);
    options.pause = std::chrono::milliseconds(1);
  }
  void TearDown() override {
    ::unsetenv("LINNET_CACHE");
    ::unsetenv("LINNET_HUB_URL");
  }
  /// A repository whose "main" is revision c0ffee.
  void serve_hub(const std::string& weights = "model.safetensors") {
    server.serve(kRoot + "main/" + weights, "weights", "\"w\"", {{"X-Repo-Commit", "c0ffee"}});
    server.serve(kRoot + "c0ffee/config.json", "{}", "\"c\"", {{"X-Repo-Commit", "c0ffee"}});
    server.serve(kRoot + "c0ffee/preprocessor_config.json", "{ }", "\"p\"", {{"X-Repo-Commit", "c0ffee"}});
  }
  std::vector<std::string> names(const CachedModel& model) {
    std::vector<std::string> result;
    for (const PulledFile& file : model.files) result.push_back(file.name);
    return result;
  }

  ScratchFolder cache;
  TestServer server;
  PullOptions options;
};

TEST_F(pull_test, a_repository_arrives_whole_from_one_revision_and_is_recorded) {
  serve_hub();
  server.start();
  const auto pulled = pull(kName, options);
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_FALSE(pulled->was_cached);
  EXPECT_THAT(names(pulled->model),
              ElementsAre("model.safetensors", "config.json", "preprocessor_config.json"));
  EXPECT_EQ(pulled->model.commit, "c0ffee");
  EXPECT_EQ(read_text(pulled->model.folder / "model.safetensors").value(), "weights");
  const auto cached = find_cached(cache.path(), kName);
  ASSERT_TRUE(cached);
  EXPECT_EQ(cached->files[0].sha256, digests_of_file(cached->folder / "model.safetensors")->sha256);
  EXPECT_EQ(cached->model_path(), cached->folder);
}

TEST_F(pull_test, a_second_pull_asks_the_hub_for_nothing) {
  serve_hub();
  server.start();
  ASSERT_TRUE(pull(kName, options));
  const std::size_t requests = server.ranges().size();
  const auto again = pull("google/mobilenet_v2_1.0_224", options);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->was_cached);
  EXPECT_EQ(server.ranges().size(), requests);
}

TEST_F(pull_test, a_cached_file_that_rotted_is_fetched_again) {
  serve_hub();
  server.start();
  const auto pulled = pull(kName, options);
  ASSERT_TRUE(pulled);
  ASSERT_TRUE(write_file(pulled->model.folder / "model.safetensors", "wEights"));
  const auto again = pull(kName, options);
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->was_cached);
  EXPECT_EQ(read_text(again->model.folder / "model.safetensors").value(), "weights");
}

TEST_F(pull_test, pytorch_weights_do_where_there_are_no_safetensors) {
  serve_hub("pytorch_model.bin");
  server.start();
  const auto pulled = pull(kName, options);
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->model.files[0].name, "pytorch_model.bin");
}

TEST_F(pull_test, a_pull_that_broke_between_two_files_keeps_the_first) {
  server.serve(kRoot + "main/model.safetensors", "weights", "\"w\"", {{"X-Repo-Commit", "c0ffee"}});
  std::atomic<bool> up = false;
  server.handlers().Get(kRoot + "c0ffee/config.json",
                        [&](const httplib::Request&, httplib::Response& response) {
                          if (up)
                            response.set_content("{}", "application/json");
                          else
                            response.status = 500;
                        });
  server.start();
  EXPECT_FALSE(pull(kName, options));
  EXPECT_FALSE(find_cached(cache.path(), kName)) << "a model that is not whole must not be found";
  const std::size_t asked_for_weights = server.ranges().size();
  up = true;
  const auto pulled = pull(kName, options);
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(server.ranges().size(), asked_for_weights);
  EXPECT_THAT(names(pulled->model), ElementsAre("model.safetensors", "config.json"));
  EXPECT_FALSE(find_cached(cache.path(), kName, Record::kPulling));
}

TEST_F(pull_test, a_hub_that_is_down_says_what_to_do) {
  ::setenv("LINNET_HUB_URL", "http://127.0.0.1:1", 1);
  const auto pulled = pull(kName, options);
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().kind, Error::Kind::kFailed);
  EXPECT_THAT(pulled.error().message, HasSubstr("linnet pull mobilenet_v2_1.0_224 --from FOLDER"));
}

TEST_F(pull_test, an_unknown_name_is_wrong_usage_and_the_error_lists_the_known_ones) {
  const auto pulled = pull("mobilenet_v9", options);
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().kind, Error::Kind::kUsage);
  EXPECT_THAT(pulled.error().message, HasSubstr("\n  mobilenet_v2_1.0_224"));
}

TEST_F(pull_test, a_mirror_is_an_address_of_the_folder_or_of_the_weights) {
  server.serve("/mirror/model.safetensors", "weights", "\"w\"");
  server.serve("/mirror/config.json", "{}", "\"c\"");
  server.start();
  for (const char* address : {"/mirror", "/mirror/", "/mirror/model.safetensors"}) {
    options.from = server.url(address);
    const auto pulled = pull(kName, options);
    ASSERT_TRUE(pulled) << pulled.error().message;
    EXPECT_THAT(names(pulled->model), ElementsAre("model.safetensors", "config.json")) << address;
  }
}

TEST_F(pull_test, a_folder_or_its_weights_are_taken_from_the_disk) {
  const ScratchFolder here;
  ASSERT_TRUE(write_file(here.path() / "model.safetensors", "weights"));
  options.from = here.path();
  EXPECT_THAT(pull(kName, options).error().message, HasSubstr("lacks config.json"));
  ASSERT_TRUE(write_file(here.path() / "config.json", "{}"));
  for (const auto& from : {here.path(), here.path() / "model.safetensors"}) {
    options.from = from;
    const auto pulled = pull(kName, options);
    ASSERT_TRUE(pulled) << pulled.error().message;
    EXPECT_THAT(names(pulled->model), ElementsAre("model.safetensors", "config.json"));
  }
  options.from = here.path() / "nothing";
  EXPECT_THAT(pull(kName, options).error().message, HasSubstr("no such file"));
  options.from = here.path() / "config.json";
  EXPECT_THAT(pull(kName, options).error().message, HasSubstr("neither .safetensors nor .bin"));
}

TEST_F(pull_test, a_file_whose_name_promises_a_hash_must_keep_it) {
  const ScratchFolder here;
  ASSERT_TRUE(write_file(here.path() / "x.pth", "not these weights"));
  options.from = here.path() / "x.pth";
  const auto pulled = pull("mobilenet_v2-7ebf99e0", options);
  ASSERT_FALSE(pulled);
  EXPECT_THAT(pulled.error().message, HasSubstr("the published name says 7ebf99e0"));
  EXPECT_FALSE(find_cached(cache.path(), "mobilenet_v2-7ebf99e0"));
}

TEST_F(pull_test, two_pulls_of_one_model_wait_for_each_other_and_fetch_it_once) {
  serve_hub();
  server.start();
  const auto folder = model_folder(cache.path(), kName);
  std::filesystem::create_directories(folder);
  const int held = ::open((folder / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  ASSERT_EQ(::flock(held, LOCK_EX), 0);
  std::atomic<bool> waiting = false;
  options.notice = [&](const std::string& text) {
    EXPECT_THAT(text, HasSubstr("waiting"));
    waiting = true;
  };
  Result<Pulled> first = fail("not run"), second = fail("not run");
  std::thread one([&] { first = pull(kName, options); });
  while (!waiting) std::this_thread::yield();
  std::thread two([&] { second = pull(kName, options); });
  ::close(held);
  one.join();
  two.join();
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->was_cached, second->was_cached);
  EXPECT_EQ(server.ranges().size(), 3u);
}

}  // namespace
}  // namespace linnet::hub
